"""The contract of tasks: `CallTask`, a tool call that goes on after its answer, and `TaskSource`, where it is found."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import mcp_types as types

from gleitzeit.mcp_server.access.caller import Caller

TaskStatus = Literal["working", "input_required", "completed", "failed", "cancelled"]
InputResponses = Mapping[str, Any]
"""What a client has sent, by the keys of what it was asked; nothing of it has been checked."""


@dataclass(frozen=True, slots=True)
class CallTask:
    """A tool call that goes on after its request was answered, as it stands now.

    `input_requests` are what its client has to ask, by keys that are never used again, while it is `input_required`.
    `result` is what the tool has answered, also that it failed, once it is `completed`; `error` is why there is no
    answer, once it is `failed`. Times are seconds since the epoch; `ttl` is how many seconds after its creation it is
    found at least, None for as long as nobody deletes it, and `poll_interval` how many to let pass between two looks.
    """

    id: str
    status: TaskStatus
    created_at: float
    updated_at: float
    ttl: float | None = None
    poll_interval: float = 1.0
    message: str | None = None
    input_requests: Mapping[str, types.InputRequest] = field(default_factory=dict[str, types.InputRequest])
    result: Mapping[str, Any] | None = None
    error: types.ErrorData | None = None

    @property
    def over(self) -> bool:
        """Whether it never changes again."""
        return self.status in ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks for a task: the caller that it has to belong to, and whether their client can ask a person by a form.

    Without a `person`, what comes of that may be a model's word.
    """

    caller: Caller
    asks: bool = True
    person: bool = True


Tell = Callable[[CallTask], Awaitable[None]]


class TaskSource(abc.ABC):
    """Where tasks are found by their ids, each by the caller that it belongs to.

    A task is found from the moment on in which its id was given to a client, and after a restart if it is said to be
    durable. Every method raises `NotFoundError` where the requester has no such task, be it that there never was one,
    that it is another's, or that it has been forgotten: nobody can tell one from the other.
    """

    @abc.abstractmethod
    async def get(self, requester: Requester, task_id: str) -> CallTask:
        """The task as it stands now."""

    @abc.abstractmethod
    async def update(self, requester: Requester, task_id: str, responses: InputResponses) -> None:
        """Hand in answers to what a task asks; those to what it does not ask, or not any more, are left aside.

        Raises `ValidationError` for an answer that is none.
        """

    @abc.abstractmethod
    async def cancel(self, requester: Requester, task_id: str) -> None:
        """Have a task stopped, if it is not over; it may still come to another end."""

    @abc.abstractmethod
    async def watch(self, requester: Requester, task_id: str, tell: Tell) -> None:
        """Tell the task as it stands, and again each time that it has changed; returns once it is over."""
