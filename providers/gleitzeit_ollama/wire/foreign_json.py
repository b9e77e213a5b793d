"""JSON that a foreign server sent, which may be anything."""

from __future__ import annotations

import json
from typing import Any

from gleitzeit.core.data import is_object

JSON = dict[str, Any]


def json_value(text: str | bytes) -> Any:
    """The JSON value that `text` is, with nothing in it that could not be written as JSON again.

    Raises `ValueError` where it is none.
    """
    written = text if isinstance(text, str) else text.decode("utf-8", "replace")
    try:
        value = json.loads(written, parse_constant=_refuse)
        if "\\ud" in written.lower():
            # Half of a surrogate pair is valid JSON, but no text that anyone could store or send.
            value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def json_object(text: bytes) -> JSON | None:
    """The JSON object that `text` is, or nothing where it is none."""
    try:
        value = json_value(text)
    except ValueError:
        return None
    return value if is_object(value) else None


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")
