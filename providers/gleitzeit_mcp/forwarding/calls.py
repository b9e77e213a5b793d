"""A call of a tool: sent, followed, and sent again where that is known to be harmless."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from gleitzeit.core import errors
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderUnavailableError
from gleitzeit.core.nesting import PATH_KEY
from gleitzeit.providers.base import TaskContext
from gleitzeit.providers.tracing import trace_of
from gleitzeit_mcp.catalog.tools import Tool
from gleitzeit_mcp.failures import call_failure
from gleitzeit_mcp.forwarding import tasks
from gleitzeit_mcp.forwarding.answers import TaskAnswers
from gleitzeit_mcp.forwarding.conversation import converse
from gleitzeit_mcp.servers.connection import Connection
from gleitzeit_mcp.servers.line import Line
from gleitzeit_mcp.servers.nesting import Place
from gleitzeit_mcp.session.errors import RemoteError
from gleitzeit_mcp.session.exchange import Listener
from gleitzeit_mcp.session.session import Session

Follower = Callable[[Session, dict[str, Any], Listener], Awaitable[dict[str, Any]]]

MOST_REPEATS = 2
"""How often a call that may be repeated is sent again after its connection broke."""

CALL_LIMIT = 60.0
"""Seconds that a call without a deadline waits for its server to start."""


class Caller:
    """Sends requests to servers in the name of tasks."""

    def __init__(self, place: Place, *, sampling: bool) -> None:
        self._place = place
        self._sampling = sampling

    async def call(
        self, connection: Connection, tool: Tool, arguments: Mapping[str, Any], task: TaskContext
    ) -> dict[str, Any]:
        """The answer of a tool, in its wire form.

        A call that was cut off is sent again where the tool is read-only or idempotent. Raises `ConnectionLostError`
        where it is not, `TimeoutError` after the task's time or the server's own `timeout`, and what the server says.
        """
        params = {"name": tool.name, "arguments": dict(arguments)}
        for repeats in range(MOST_REPEATS):
            try:
                return await self.request(connection, "tools/call", params, task, tool)
            except ConnectionLostError as error:
                if error.ambiguous and not tool.repeatable:
                    raise
                await _back(connection, task, error)
                task.record(resent=repeats + 1)
        try:
            return await self.request(connection, "tools/call", params, task, tool)
        except ConnectionLostError as error:
            raise ConnectionLostError(f"{error.message} (it was sent {MOST_REPEATS + 1} times)") from error

    async def request(
        self,
        connection: Connection,
        method: str,
        params: Mapping[str, Any],
        task: TaskContext,
        tool: Tool | None = None,
    ) -> dict[str, Any]:
        """The result of any request for a task, its failures translated."""
        left = task.remaining
        timeout = _shorter(connection.server.timeout, left)
        listener, addressed = self._listener(connection, task), self._addressed(connection, params, task)

        async def carried(line: Line) -> dict[str, Any]:
            try:
                return await _carried_out(line, method, addressed, listener, timeout, tool)
            except (RemoteError, GleitzeitError) as error:
                if isinstance(error, errors.TimeoutError):
                    line.pulse.doubt()
                subject = f'server "{connection.server.name}"' + (f', tool "{tool.name}"' if tool else f": {method}")
                raise call_failure(subject, error, connection.redacted) from error

        return await connection.carry(_or_limit(left), carried)

    def _addressed(self, connection: Connection, params: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        path = self._place.through(connection.server.name, task.meta.get(PATH_KEY))
        return {**params, "_meta": {**trace_of(task), PATH_KEY: path}}

    def _listener(self, connection: Connection, task: TaskContext) -> Listener:
        answers = TaskAnswers(
            connection.server.name,
            task,
            sampling=self._sampling,
            roots=None if connection.roots is None else connection.roots.listing,
            redact=connection.redacted,
        )
        return Listener(
            report=_Report(task, connection),
            answer=answers,
            log=_Log(task, connection),
            owner=f"{task.caller}/{task.run_id}" if task.run_id else f"call {id(task)}",
        )


class _Report:
    """Passes on how far a server is, without the secrets of its settings."""

    def __init__(self, task: TaskContext, connection: Connection) -> None:
        self._task = task
        self._connection = connection

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        await self._task.report_progress(progress, total, message and self._connection.redacted(message))


class _Log:
    """Keeps the last messages that a server logs during a call in the task's metadata."""

    def __init__(self, task: TaskContext, connection: Connection) -> None:
        self._task = task
        self._connection = connection

    def __call__(self, params: Mapping[str, Any]) -> None:
        data = params.get("data")
        entry = {
            "level": str(params.get("level", "info")),
            "message": self._connection.redacted(data if isinstance(data, str) else str(data))[:_LONGEST_LOG],
        }
        kept = [*self._task.metadata.get("log", ()), entry][-_KEPT_LOGS:]
        self._task.record(log=kept)


_KEPT_LOGS = 50
_LONGEST_LOG = 2_000


async def _back(connection: Connection, task: TaskContext, loss: ConnectionLostError) -> None:
    """Wait for a server that was lost to be back; where it does not come, the loss is what there is to tell."""
    try:
        await connection.ready(remaining(task))
    except ProviderUnavailableError as error:
        raise loss from error


async def _carried_out(
    line: Line,
    method: str,
    params: dict[str, Any],
    listener: Listener,
    timeout: float | None,
    tool: Tool | None,
) -> dict[str, Any]:
    session = line.session
    if tool is not None and tool.as_task and not line.agreement.modern:
        created = await converse(session, method, tasks.insist(params), listener, timeout)
        if "task" not in created:
            return created
        return await _followed(tasks.follow_experiment, session, created, listener, timeout)
    result = await converse(session, method, params, listener, timeout)
    if result.get("resultType") == "task":
        return await _followed(partial(tasks.follow, meta=params["_meta"]), session, result, listener, timeout)
    return result


async def _followed(
    follow: Follower, session: Session, created: dict[str, Any], listener: Listener, timeout: float | None
) -> dict[str, Any]:
    with anyio.move_on_after(timeout) as limit:
        return await follow(session, created, _untimed(listener, limit))
    raise errors.TimeoutError(f"no answer within {timeout:g} s")


def _untimed(listener: Listener, limit: anyio.CancelScope) -> Listener:
    """The same, but how long a person thinks does not count."""
    ask = listener.answer
    if ask is None:
        return listener

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        with _suspended(limit):
            return await ask(request)

    return replace(listener, answer=answer)


@contextmanager
def _suspended(limit: anyio.CancelScope) -> Generator[None]:
    """The time within does not count towards the deadline of `limit`."""
    if math.isinf(limit.deadline):
        yield
        return
    left = limit.deadline - anyio.current_time()
    limit.deadline = math.inf
    try:
        yield
    finally:
        limit.deadline = anyio.current_time() + left


def remaining(task: TaskContext) -> float:
    """Seconds that a task can wait for its server to be up."""
    return _or_limit(task.remaining)


def _or_limit(left: float | None) -> float:
    return CALL_LIMIT if left is None else left


def _shorter(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
