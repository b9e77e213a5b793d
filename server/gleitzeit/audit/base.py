"""The `Audit` contract: what was asked for and what was decided stands written before it is carried out."""

from __future__ import annotations

import abc
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Event = Literal["requested", "answered", "decided", "ended"]
"""A request of a client comes and is answered; a method is decided on and, if that is allowed, carried out and ends."""

Decision = Literal["allowed", "denied", "asked", "approved", "declined"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of an audit: `id` ties what begins an action to what ends it. `at` is in seconds since the epoch.

    `parameters` are never kept: a line has their digest. `rule` is what a decision was made by, `outcome` how the
    action ended, `error` the code of what went wrong, and `reused` whether an earlier result stood for a new one.
    """

    event: Event
    id: str
    caller: str
    at: float = field(default_factory=time.time)
    decision: Decision | None = None
    rule: str | None = None
    request: str | None = None
    transport: str | None = None
    peer: str | None = None
    tool: str | None = None
    resource: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    attempt: int | None = None
    method: str | None = None
    parameters: Any = None
    outcome: str | None = None
    error: str | None = None
    reused: bool = False
    seconds: float | None = None


class Audit(abc.ABC):
    """Where entries are written, in the order in which they come."""

    active: bool = True
    """Whether anybody reads what is written: else nothing has to be found out for it."""

    @abc.abstractmethod
    async def record(self, entry: Entry) -> None:
        """Return once the entry is written. Raises `UnrecordedError` where it can't be: nothing may follow then."""

    @abc.abstractmethod
    def note(self, entry: Entry) -> None:
        """Have the entry written soon, at the latest when the audit closes: for what has been done already."""

    @abc.abstractmethod
    async def settled(self) -> None:
        """Return once all that came before is written, or has failed to be."""
