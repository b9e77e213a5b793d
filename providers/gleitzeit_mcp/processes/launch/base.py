"""A process that is started here, and the pipes that lead to it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from subprocess import PIPE
from typing import Self

Sink = Callable[[bytes], bool]
"""Is given what has come; says whether there may be more."""

CHUNK = 256 * 1024
"""The bytes that are read at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be started; a stream is a pipe to us, a descriptor, or what `subprocess` has names for."""

    argv: Sequence[str]
    environment: Mapping[str, str] | None = field(default=None, repr=False)
    folder: str | None = None
    stdin: int = PIPE
    stdout: int = PIPE
    stderr: int = PIPE


class Process(ABC):
    """It leads a session of its own, which is also a process group. A stream that is no pipe is at its end."""

    @classmethod
    @abstractmethod
    async def start(cls, order: Order) -> Self:
        """Start one, which is not lost where the caller is cancelled meanwhile.

        Raises `OSError` where the system cannot start it.
        """

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
        """Write all of it to its stdin, in one piece, and give what has to be awaited before that is certain.

        It is written whole even if whoever awaits that is cancelled. Raises `OSError` or one of anyio's errors, here or
        where it is awaited, if not all of it could be written.
        """

    @abstractmethod
    async def read_stdout(self, sink: Sink) -> None:
        """Hand over what comes until that ends, or `sink` has enough; what `sink` raises is raised here.

        Raises `OSError` where the system watches no more descriptors.
        """

    @abstractmethod
    async def read_stderr(self, sink: Sink) -> None:
        """The same of its stderr."""

    @abstractmethod
    async def close_stdin(self) -> None:
        """Close it, once all that was sent is written."""

    @abstractmethod
    def close(self) -> None:
        """Close our ends of its pipes, which descendants of its own may hold open. Its end is heard of all the same."""
