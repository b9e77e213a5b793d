"""A process that was started here, and the pipes that lead to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from subprocess import PIPE

Take = Callable[[bytes], bool]
"""Is given what has come; says whether there may be more."""

PIECE = 256 * 1024
"""The bytes that are read at once."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be started; a stream is a pipe to us, a descriptor, or what `subprocess` has names for."""

    argv: Sequence[str]
    environment: Mapping[str, str] | None = None
    folder: str | None = None
    stdin: int = PIPE
    stdout: int = PIPE
    stderr: int = PIPE


class Process(ABC):
    """It leads a session of its own, which is also a process group. A stream that is no pipe is at its end."""

    @property
    @abstractmethod
    def pid(self) -> int:
        """Its number, which is also that of its group."""

    @property
    @abstractmethod
    def returncode(self) -> int | None:
        """Its exit code, or a signal's number below zero; none while it runs."""

    @abstractmethod
    async def wait(self) -> int:
        """How it ended, as soon as it has."""

    @abstractmethod
    def kill(self) -> None:
        """End it, and none of its descendants."""

    @abstractmethod
    def send(self, data: bytes) -> Awaitable[None] | None:
        """Write all of it to its stdin, in one piece, and give what there is to wait for.

        It is written even if whoever waits for that is cancelled.
        Raises `OSError` or one of anyio's errors where not all of it could be written.
        """

    @abstractmethod
    async def receive(self, take: Take) -> None:
        """Hand over what its stdout says until that ends, or `take` has enough; what `take` raises is raised here.

        Raises `OSError` where the system watches no more descriptors.
        """

    @abstractmethod
    async def complaints(self, take: Take) -> None:
        """The same of its stderr."""

    @abstractmethod
    async def hang_up(self) -> None:
        """Close its stdin, once all that was sent is written to it."""

    @abstractmethod
    def let_go(self) -> None:
        """Close our ends of its pipes, which descendants of its own may hold open. Call it last."""
