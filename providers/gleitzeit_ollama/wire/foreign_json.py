"""JSON that a foreign server sent, which may be anything."""

from __future__ import annotations

import json
import math
from typing import Any

from gleitzeit.core.data import is_list, is_object

JSON = dict[str, Any]

_MOST = 2**63 - 1
_DEEPEST = 100  # what a result may have, and far from what Python can write again


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("it has a number that is too large")
    return number


# Made once: `json.loads` would make one anew for every token.
_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite)


def json_value(text: str | bytes) -> Any:
    """The JSON value that `text` is, with nothing in it that could not be written as JSON again.

    Raises `ValueError` where it is none.
    """
    written = text if isinstance(text, str) else text.decode("utf-8", "replace")
    try:
        value = _DECODER.decode(written)
        if "\\u" in written and "\\ud" in written.lower():
            # Half of a surrogate pair is valid JSON, but no text that anyone could store or send.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if written.count("{") + written.count("[") > _DEEPEST and _is_deep(value):
        raise ValueError("it is nested too deeply")
    return value


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_DEEPEST):
        objects, lists = filter(is_object, level), filter(is_list, level)
        level = [item for held in (*(found.values() for found in objects), *lists) for item in held]
        if not level:
            return False
    return True


def json_object(text: bytes) -> JSON | None:
    """The JSON object that `text` is, or nothing where it is none."""
    try:
        value = json_value(text)
    except ValueError:
        return None
    return value if is_object(value) else None


def whole(value: object) -> int:
    """A size, a count or nanoseconds that a server tells: Ollama leaves out what is 0, and has none below it."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return min(max(int(value), 0), _MOST)
