"""Lines out of bytes that come in pieces."""

from __future__ import annotations


class LineBuffer:
    """Keeps what is no whole line yet; however many pieces a line comes in, each byte is looked at once."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def __len__(self) -> int:
        return len(self._rest)

    def take(self, piece: bytes) -> list[bytes]:
        """The lines that `piece` makes whole, without their ends."""
        end = piece.rfind(b"\n")
        if end < 0:
            self._rest += piece
            return []
        lines = (bytes(self._rest) + piece[:end]).split(b"\n")
        self._rest = bytearray(piece[end + 1 :])
        return lines
