"""Frames: one JSON object a line. Those of a worker are written by whoever wrote its code, and may be anything."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import LimitError

LARGEST = 8 << 20
"""Bytes of one frame."""

_SHOWN = 80


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _number(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise ValueError("a number that is too large")
    return number


# Made once: `json.loads` and `json.dumps` make new ones for every frame.
_DECODER = json.JSONDecoder(parse_constant=_refuse)
_CAREFUL_DECODER = json.JSONDecoder(parse_constant=_refuse, parse_float=_number)
_MAY_BE_INFINITE = re.compile(r"[eE]\+?\d{3}|\d{200}", re.ASCII)
_ENCODER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


class FrameError(Exception):
    """What a worker sent is not what a worker sends."""


class FrameReader:
    """Takes bytes as they come and gives the frames that are whole."""

    __slots__ = ("_buffer", "_largest", "_searched")

    def __init__(self, largest: int = LARGEST) -> None:
        self._buffer = bytearray()
        self._searched = 0
        self._largest = largest

    def feed(self, data: bytes) -> None:
        """Take more bytes. Raises `FrameError` where a frame gets too large."""
        self._buffer += data
        if len(self._buffer) > self._largest and self._end() < 0:
            raise FrameError(f"a frame of more than {self._largest:,} bytes")

    def next(self) -> dict[str, Any] | None:
        """The next whole frame, or nothing for now. Raises `FrameError` for what is none."""
        end = self._end()
        if end < 0:
            return None
        if end > self._largest:
            raise FrameError(f"a frame of more than {self._largest:,} bytes")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        return parsed(line)

    def _end(self) -> int:
        end = self._buffer.find(b"\n", self._searched)
        self._searched = len(self._buffer) if end < 0 else end
        return end


def parsed(line: bytes) -> dict[str, Any]:
    """The object that a line is, with nothing in it that could not be written as JSON again."""
    try:
        text = line.decode("utf-8")
        frame = (_CAREFUL_DECODER if _MAY_BE_INFINITE.search(text) else _DECODER).decode(text)
        if "\\ud" in text.lower():
            frame = json.loads(json.dumps(frame, ensure_ascii=False).encode("utf-8", "replace"))
    except RecursionError:
        raise FrameError("a frame that is nested too deeply") from None
    except ValueError as error:
        raise FrameError(f"a frame that is no JSON: {str(error)[:_SHOWN]}") from None
    if not is_object(frame):
        raise FrameError("a frame that is no object")
    return frame


def framed(message: Mapping[str, Any]) -> bytes:
    """A message as a frame. Raises `LimitError` where it is too large, `ValueError` or its kin where it is no JSON."""
    data = _ENCODER.encode(message).encode("ascii") + b"\n"
    if len(data) > LARGEST:
        raise LimitError(
            f"code and what it is given are {len(data):,} bytes; {LARGEST:,} are the most",
            hint="put large data into a file and name it in `files`",
        )
    return data
