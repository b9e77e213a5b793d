"""The contract of a sandbox: a job goes in, what became of it comes out, and nothing else does."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from gleitzeit.core.errors import ForbiddenError
from gleitzeit_python.sandbox import names

Tier = names.Tier
Packages = names.Packages
Mode = Literal["script", "inline"]
Ended = Literal["exited", "timeout", "memory", "crashed", "forged"]

ABSENT: Any = object()
"""The value of code that has given none."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one job may use: seconds, and bytes."""

    timeout: float = 60.0
    memory: int = 256 << 20
    output: int = 1 << 20
    disk: int = 64 << 20
    artifacts: int = 8 << 20


@dataclass(frozen=True, slots=True)
class Job:
    """Code that is to be run once, with all that it may see.

    `files` are folders and files of the host by the names that they have inside; `python_path` are folders of the host.
    `allowed_modules` of nothing are all. Only `interactive` code may call, ask and report.
    """

    code: str
    filename: str = "<task>"
    mode: Mode = "inline"
    args: Any = None
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    files: Mapping[str, Path] = field(default_factory=dict[str, Path])
    python_path: Sequence[Path] = ()
    artifacts: Sequence[str] = ()
    allowed_modules: frozenset[str] | None = None
    packages: Packages = "host"
    limits: Limits = field(default_factory=Limits)
    interactive: bool = True

    @property
    def plain(self) -> bool:
        """Whether a worker that stands by can take it: it needs nothing of the host's files."""
        return not self.files and not self.python_path


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file that a job has left, by its path below the work directory."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """An exception of the code, as the code itself tells it: untrusted text. `hint` is what it says can be done."""

    type: str
    message: str
    traceback: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job. `value` is the variable `result` of inline code, or `ABSENT`; output is cut at its limit.

    `facts` say under what it ran: tier, Landlock ABI, limits.
    """

    ended: Ended
    exit_code: int | None = None
    value: Any = ABSENT
    problem: Problem | None = None
    stdout: bytes = b""
    stderr: bytes = b""
    stdout_total: int = 0
    stderr_total: int = 0
    artifacts: Sequence[Artifact] = ()
    duration: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Host(Protocol):
    """What the code of a job may ask of us while it runs; each refuses by an error of ours."""

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """The result of a method."""
        ...

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell how far it is."""
        ...

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        """What a person answers."""
        ...

    def waited(self) -> float:
        """Seconds so far in which the code's time stood still, for a person was asked; infinite while it does."""
        ...


class Silent:
    """The host of code that may ask for nothing."""

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Refuse."""
        raise ForbiddenError(f"this code may not call {method}")

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell nobody."""

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        """Refuse."""
        raise ForbiddenError("this code may not ask anybody")

    def waited(self) -> float:
        """No time stands still."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a tier can be had on this machine, by a probe that did it; `reason` and `hint` say why not."""

    tier: Tier
    available: bool
    reason: str = ""
    hint: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


class Sandbox(ABC):
    """One tier, ready for jobs while it is open."""

    tier: Tier

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[None]:
        """Hold open what the tier needs (processes, containers); leaving it ends all of it."""

    @abstractmethod
    async def run(self, job: Job, host: Host) -> Outcome:
        """Carry a job out. Cancelling it kills the job at once.

        Raises a `GleitzeitError` that is retryable where the sandbox itself failed, never for what the code did.
        """

    @abstractmethod
    def facts(self) -> Mapping[str, Any]:
        """What every outcome of this tier says of its isolation."""
