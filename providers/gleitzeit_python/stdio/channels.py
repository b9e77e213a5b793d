"""`ChannelReader`: output, errors and frames of a worker, taken apart again after they came through one stream.

Each piece is a byte that says what it is, four that say how long it is, and its data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from gleitzeit_python.broker.frames import FrameError

LARGEST: Final = 64 << 10
"""Bytes of one piece."""

_HEADER: Final = struct.Struct(">BI")


class Kind(IntEnum):
    """What a piece is; the end is what the worker tells of the process that ran the code."""

    OUTPUT = 1
    ERRORS = 2
    FRAMES = 3
    END = 4


class ChannelReader:
    """Takes bytes as they come and gives the pieces that are whole."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[Kind, bytes]]:
        """Take more bytes. Raises `FrameError` for what is no piece: it is as untrusted as what is in it."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            kind, length = _HEADER.unpack_from(self._buffer, start)
            if kind not in tuple(Kind) or length > LARGEST:
                raise FrameError("what is no part of its output")
            end = start + _HEADER.size + length
            if end > len(self._buffer):
                break
            yield Kind(kind), bytes(self._buffer[start + _HEADER.size : end])
            start = end
        del self._buffer[:start]
