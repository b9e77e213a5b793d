"""What leads to the stdin of a child and from its stdout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from anyio.abc import Process

Take = Callable[[bytes], bool]
"""Is given what has come; says whether there may be more."""

PIECE = 256 * 1024
"""The bytes that are read at once."""


class Pipes(ABC):
    """Our end of each. `stdin` and `stdout` are what the child is to be started with."""

    stdin: int
    stdout: int

    @abstractmethod
    def attach(self, process: Process) -> None:
        """The child has started, and has its own ends."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Write all of it, in one piece, even if whoever waits for that is cancelled.

        Raises `OSError` or one of anyio's errors where not all of it could be written.
        """

    @abstractmethod
    async def receive(self, take: Take) -> None:
        """Hand over what comes until that ends, or `take` has enough; what `take` raises is raised here.

        Raises `OSError` where the system watches no more descriptors.
        """

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the child's stdin, once all that was sent is written to it."""

    @abstractmethod
    def close(self) -> None:
        """Close what is still open."""
