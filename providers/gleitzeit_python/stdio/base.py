"""`Line`: what leads to a worker that has only its standard streams."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Line(ABC):
    """Bytes to a worker and from it, and a way to end it."""

    @property
    def complaint(self) -> str:
        """What it has said where nothing but of a failure is said."""
        return ""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Write all of it to the worker's standard input. Raises `OSError` where it is gone."""

    @abstractmethod
    async def receive(self) -> bytes:
        """What has come from its standard output, at least a byte; none once it has ended."""

    @abstractmethod
    async def kill(self) -> None:
        """End the worker with all that it has started, at once; never raises."""
