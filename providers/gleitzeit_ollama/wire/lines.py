"""A stream of JSON lines, put together from the pieces that a connection brings."""

from __future__ import annotations

from gleitzeit.core.errors import LimitError

LINE_LIMIT = 16 * 1024 * 1024


class LineBuffer:
    """Turns pieces of bytes into whole lines, whatever the pieces are cut at.

    Raises `LimitError` once a line is longer than `limit` bytes.
    """

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` completes, blank ones left out."""
        *ends, rest = piece.split(b"\n")
        lines: list[bytes] = []
        for end in ends:
            self._keep(end)
            lines.append(self.rest())
        self._keep(rest)
        return [line for line in lines if line.strip()]

    def rest(self) -> bytes:
        """What has come since the last end of a line; the buffer is empty afterwards."""
        line = b"".join(self._pieces)
        self._pieces.clear()
        self._size = 0
        return line

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > self._limit:
            raise LimitError(f"Ollama sent a line of more than {self._limit:,} bytes")
        self._pieces.append(piece)
