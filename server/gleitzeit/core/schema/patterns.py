"""Regular expressions of foreign schemas, matched in linear time."""

from __future__ import annotations

from functools import lru_cache

from gleitzeit.core.cel.values import program
from gleitzeit.core.errors import ExpressionError

MAX_TEXT = 100_000
_MAX_PATTERN = 1_000


def matches(pattern: str, text: str) -> bool | None:
    """Whether `pattern` is found in `text`; nothing where only an engine with exponential time could tell.

    CEL's engine needs no time that grows faster than the text. It has no look-around and no back-references.
    """
    if len(pattern) > _MAX_PATTERN or len(text) > MAX_TEXT or pattern in _unusable():
        return None
    try:
        return bool(program("text.matches(pattern)").execute({"text": text, "pattern": pattern}))
    except (RuntimeError, ExpressionError):
        if len(_unusable()) < 1_000:
            _unusable().add(pattern)
        return None


@lru_cache(maxsize=1)
def _unusable() -> set[str]:
    return set()
