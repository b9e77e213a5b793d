"""`30s`, `5m`, `1h30m`, `PT5M`: text that means seconds."""

from __future__ import annotations

import math
import re

DURATION_KEYS = frozenset({"timeout", "default_timeout", "delay", "max_delay", "ttl"})
"""The keys of the language whose value is a duration."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_PART = re.compile(
    r"\s*(\d+(?:\.\d+)?)\s*"
    r"(milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|m|hours?|hrs?|h|days?|d|weeks?|w)\s*,?",
    re.IGNORECASE,
)
_ISO = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?", re.IGNORECASE)


def seconds(text: str) -> float | None:
    """The seconds that a text means, or nothing where it is no duration."""
    text = text.strip()
    if len(text) > 64:
        return None
    try:
        return _number(float(text))
    except ValueError:
        return _iso(text) if text[:1] in "Pp" else _parts(text)


def _parts(text: str) -> float | None:
    total, position = 0.0, 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            return None
        total += float(match.group(1)) * _UNITS[_unit(match.group(2).lower())]
        position = match.end()
    return _number(total) if text else None


def _unit(word: str) -> str:
    return "ms" if word.startswith(("ms", "mil")) else word[0]


def _iso(text: str) -> float | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    days, hours, minutes, rest = (float(part or 0) for part in match.groups())
    return _number(days * 86_400 + hours * 3600 + minutes * 60 + rest)


def _number(value: float) -> float | None:
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() else value
