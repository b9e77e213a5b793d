"""Places inside of a value: `items[0].name`, `headers["content-type"]`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from gleitzeit.core.data import PathKey, is_mapping, is_sequence, kind_of
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import NotFoundError, ValidationError

_STEP = re.compile(
    r"""\.?(?P<name>[^\s.\[\]"'][^.\[\]"']*)"""
    r"""|\[\s*(?P<index>-?\d{1,9})\s*\]"""
    r"""|\.?\[\s*(?P<quoted>"(?:[^"\\]|\\.)*"|'[^']*')\s*\]"""
)
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_LONGEST = 4_000
_MOST_NAMES = 20
_LONGEST_NAME = 100


def parse_place(text: str) -> tuple[PathKey, ...]:
    """The keys that lead to a place; `$` or nothing is the whole. Raises `ValidationError` for what is no place."""
    rest = text.strip().removeprefix("$")
    keys: list[PathKey] = []
    position = 0
    while position < len(rest):
        step = _STEP.match(rest, position)
        if step is None or (position and step["name"] is not None and rest[position] != ".") or len(text) > _LONGEST:
            raise ValidationError(
                f"path {_shown(text)} can't be read at {_shown(rest[position:])}",
                hint='write it as in items[0].name or headers["content-type"]',
            )
        keys.append(_key(step))
        position = step.end()
    return tuple(keys)


def place_text(keys: Sequence[PathKey]) -> str:
    """Keys as `parse_place` reads them."""
    text = ""
    for key in keys:
        if isinstance(key, int):
            text += f"[{key}]"
        elif _PLAIN.fullmatch(key):
            text += f".{key}" if text else key
        else:
            text += f"[{json.dumps(key, ensure_ascii=False)}]"
    return text


def value_at(value: Any, keys: Sequence[PathKey], whole: str) -> Any:
    """What stands at a place of `value`, which is called `whole` in the error.

    Raises `NotFoundError`, naming the fields that there are and the nearest of them.
    """
    for position, key in enumerate(keys):
        if is_mapping(value) and str(key) in value:
            value = value[str(key)]
            continue
        index = _index(key)
        if not is_sequence(value) or index is None or not -len(value) <= index < len(value):
            raise _missing(value, key, place_text(keys[:position]) or whole)
        value = value[index]
    return value


def _key(step: re.Match[str]) -> PathKey:
    if step["index"] is not None:
        return int(step["index"])
    if step["quoted"] is None:
        return step["name"].rstrip()
    if step["quoted"].startswith("'"):
        return step["quoted"][1:-1]
    try:
        return str(json.loads(step["quoted"]))
    except ValueError as error:
        raise ValidationError(
            f"path has the key {_shown(step['quoted'])}, which is no JSON text", hint='write it as in ["content-type"]'
        ) from error


def _index(key: PathKey) -> int | None:
    """The position that a key means in a list: people write `items.0`, too."""
    if isinstance(key, int):
        return key
    return int(key) if key.isascii() and key.isdigit() and len(key) < 10 else None


def _missing(value: Any, key: PathKey, place: str) -> NotFoundError:
    if is_mapping(value):
        hint = did_you_mean(str(key), value) or "path takes the names as they are"
        return NotFoundError(f"{place} has no field {_shown(str(key))}; there are {_listed(value)}", hint=hint)
    if is_sequence(value):
        hint = f"the first is [0], the last [{len(value) - 1}]" if value else "the list is empty"
        return NotFoundError(f"{place} is a list of {len(value)} and has no {_shown(str(key))}", hint=hint)
    return NotFoundError(f"{place} is {kind_of(value)} and has no fields", hint=f"read {place} itself")


def _listed(names: Iterable[str]) -> str:
    known = list(names)
    shown = ", ".join(_shown(name) for name in islice(known, _MOST_NAMES))
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"{shown}{more}" if known else "none"


def _shown(text: str) -> str:
    return json.dumps(text if len(text) <= _LONGEST_NAME else f"{text[:_LONGEST_NAME]}…", ensure_ascii=False)
