"""`ArtifactTray`: the files that a job has left, as their pieces come in."""

from __future__ import annotations

from gleitzeit_python.broker.frames import FrameError
from gleitzeit_python.broker.messages import Piece
from gleitzeit_python.sandbox.base import Artifact

MOST = 100
"""Files that one job may leave."""


class ArtifactTray:
    """Holds up to `largest` bytes in up to `MOST` files."""

    __slots__ = ("_files", "_largest", "_open", "_size")

    def __init__(self, largest: int) -> None:
        self._files: dict[str, bytearray] = {}
        self._open: set[str] = set()
        self._largest = largest
        self._size = 0

    def add(self, piece: Piece) -> None:
        """Take a piece of a file. Raises `FrameError` where they are too many or too large, or it was whole before."""
        if piece.name in self._files and piece.name not in self._open:
            raise FrameError(f'the artifact "{piece.name}" twice')
        self._size += len(piece.data)
        if self._size > self._largest:
            raise FrameError(f"artifacts of more than {self._largest:,} bytes")
        if piece.name not in self._files and len(self._files) >= MOST:
            raise FrameError(f"more than {MOST} artifacts")
        self._files.setdefault(piece.name, bytearray()).extend(piece.data)
        if piece.last:
            self._open.discard(piece.name)
        else:
            self._open.add(piece.name)

    def whole(self) -> tuple[Artifact, ...]:
        """The files whose last piece has come."""
        return tuple(Artifact(name, bytes(data)) for name, data in self._files.items() if name not in self._open)
