"""Lines out of bytes that come in pieces, each no longer than it may be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_KEPT_END = 4 * 1024


@dataclass(frozen=True, slots=True)
class Overlong:
    """A line that was too long to keep: its first and its last few thousand bytes, and its whole size."""

    start: bytes
    end: bytes
    size: int


Line = bytes | Overlong


class LineBuffer:
    """Keeps what is no whole line yet; however many pieces a line comes in, each byte is looked at once."""

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._rest = bytearray()
        self._start = b""
        self._dropped = 0

    def __len__(self) -> int:
        return len(self._rest) + self._dropped

    def take(self, piece: bytes) -> Sequence[Line]:
        """The lines that `piece` makes whole, without their ends."""
        end = piece.rfind(b"\n")
        if end < 0:
            self._rest += piece
            self._shed()
            return ()
        first, _, others = piece[:end].partition(b"\n")
        lines: list[Line] = [self._closed(first)]
        if others or end > len(first):
            lines += [line if len(line) <= self._longest else self._cut(line) for line in others.split(b"\n")]
        self._rest += piece[end + 1 :]
        return lines

    def _closed(self, last: bytes) -> Line:
        self._rest += last
        size = len(self)
        if size <= self._longest:
            line: Line = bytes(self._rest)
        else:
            start = self._start or bytes(self._rest[:_KEPT_END])
            line = Overlong(start, bytes(self._rest[-_KEPT_END:]), size)
        self._rest, self._start, self._dropped = bytearray(), b"", 0
        return line

    def _shed(self) -> None:
        """Forget the middle of a line that is too long."""
        excess = len(self._rest) - _KEPT_END
        if len(self) <= self._longest or excess <= 0:
            return
        self._start = self._start or bytes(self._rest[:_KEPT_END])
        self._dropped += excess
        del self._rest[:excess]

    def _cut(self, line: bytes) -> Overlong:
        return Overlong(line[:_KEPT_END], line[-_KEPT_END:], len(line))
