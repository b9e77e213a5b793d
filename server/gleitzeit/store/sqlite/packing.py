"""JSON data as what a column holds: nothing, text or, where it is large, compressed text."""

from __future__ import annotations

import json
import json.encoder
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, cast

from gleitzeit.core.adapting import from_json
from gleitzeit.core.models import Failure, Workflow

LARGE = 256 * 1024
"""From so many characters on, a result is stored compressed."""

PIECE = 10_000
"""So many values, about, become text without any other thread's having a turn."""


def _mapping(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"JSON has no {type(value).__name__}")


def _encoder(*, ascii_only: bool) -> Callable[[Any], str]:
    """An encoder of compact JSON, made once: `JSONEncoder.encode` makes its C encoder anew for each value."""
    plain = json.JSONEncoder(ensure_ascii=ascii_only, separators=(",", ":"), default=_mapping)
    make: Any = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return plain.encode
    quote = json.encoder.encode_basestring_ascii if ascii_only else json.encoder.encode_basestring
    chunks = make(None, _mapping, quote, None, ":", ",", False, False, True)
    return lambda value: "".join(chunks(value, 0))


_encode = _encoder(ascii_only=False)
_encode_escaped = _encoder(ascii_only=True)


def _encode_in_pieces(value: Any) -> str:
    """The same text as `_encode` gives, which would hold up all other threads for as long as a large value takes."""
    kind = cast("type[object]", type(value))
    if kind is dict and any(type(item) in _CONTAINERS for item in value.values()):
        parts = [_encode({key: 0})[1:-2] + _encode_in_pieces(item) for key, item in value.items()]
        return "{" + ",".join(parts) + "}"
    if kind is list and value:
        step = max(1, PIECE // _breadth(value[0]))
        if len(value) > step:
            parts = [_encode(value[start : start + step])[1:-1] for start in range(0, len(value), step)]
            return "[" + ",".join(parts) + "]"
    return _encode(value)


def _is_small(value: Any) -> bool:
    """Whether a value has no more than a piece."""
    count, waiting = 0, [value] if type(value) in _CONTAINERS else list[Any]()
    while waiting:
        current = waiting.pop()
        kind = cast("type[object]", type(current))
        count += len(current)
        if count > PIECE:
            return False
        for item in current.values() if kind is dict else current:
            if type(item) in _CONTAINERS:
                waiting.append(item)
    return True


def _breadth(value: Any) -> int:
    return 1 + len(value) if type(value) in _CONTAINERS else 1


_CONTAINERS = frozenset({dict, list})


def to_text(value: Any, encode: Callable[[Any], str] = _encode) -> str:
    """JSON text that UTF-8 can hold: half a surrogate pair, which Python's text may have, stays escaped."""
    text = encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return _encode_escaped(value)
    return text


def pack(value: Any) -> str | bytes | None:
    """A value of any size as what a column holds."""
    if value is None:
        return None
    text = to_text(value, _encode if _is_small(value) else _encode_in_pieces)
    return text if len(text) < LARGE else zlib.compress(text.encode(), 1)


def unpack(stored: str | bytes | None) -> Any:
    """What was packed."""
    if stored is None:
        return None
    return json.loads(zlib.decompress(stored) if isinstance(stored, bytes) else stored)


def pack_failure(failure: Failure | None) -> str | None:
    """A failure as text."""
    return None if failure is None else to_text(failure.to_dict())


def unpack_failure(stored: str | None) -> Failure | None:
    """A failure that was packed."""
    return None if stored is None else Failure(**json.loads(stored))


@lru_cache(maxsize=64)
def unpack_workflow(stored: str) -> Workflow:
    """A document; those read last are remembered, for lists and claims read the same ones again and again."""
    return from_json(Workflow, stored)


def methods_of(stored: str) -> frozenset[str]:
    """The methods that a document names."""
    return frozenset(task["method"] for task in json.loads(stored)["tasks"])
