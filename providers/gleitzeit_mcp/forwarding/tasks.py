"""Calls that a server turns into tasks of its own: followed to their end, and cancelled with the call.

The modern era has them as the extension `io.modelcontextprotocol/tasks` (SEP-2663), in which the server decides. In
2025-11-25 they were an experiment, in which a tool may insist on them and the client has to say so.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import anyio

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import GleitzeitError, ProviderError
from gleitzeit.core.groups import unwrapped
from gleitzeit_mcp.forwarding.conversation import answers_to
from gleitzeit_mcp.session.errors import INTERNAL_ERROR, RemoteError
from gleitzeit_mcp.session.exchange import Listener
from gleitzeit_mcp.session.numbers import is_finite
from gleitzeit_mcp.session.session import Session

_SHORTEST_PAUSE = 0.05
_LONGEST_PAUSE = 30.0
_USUAL_PAUSE = 1.0
_CANCEL_LIMIT = 1.0
_POLL_LIMIT = 60.0
_TTL_MS = 24 * 3600 * 1000


def insist(params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a call that asks a server of 2025-11-25 to carry it out as a task."""
    return {**params, "task": {"ttl": _TTL_MS}}


async def follow(
    session: Session, created: Mapping[str, Any], listener: Listener, meta: Mapping[str, Any]
) -> dict[str, Any]:
    """The result of a call that became a task of the modern era, once it is there.

    `meta` goes with each request about it as with the call: a Gleitzeit has to see that no person asks.
    """
    named = {"taskId": _task_id(created), "_meta": meta}
    state: Mapping[str, Any] = created
    answered: set[str] = set()
    over = False
    try:
        while not over:
            await _tell(state, listener)
            over = state.get("status") in ("completed", "failed", "cancelled")
            if over:
                break
            if state.get("status") == "input_required":
                await _answer(session, named, state, answered, listener)
            await anyio.sleep(_pause(state, "pollIntervalMs"))
            state = await session.request("tasks/get", named, listener=listener, timeout=_POLL_LIMIT)
        return _ended(state)
    finally:
        if not over:
            await _cancel(session, named)


async def _answer(
    session: Session, named: Mapping[str, Any], state: Mapping[str, Any], answered: set[str], listener: Listener
) -> None:
    """Answer what was not answered yet: a server may show a question again until it has taken in the answer."""
    asked = state.get("inputRequests")
    fresh = {key: request for key, request in asked.items() if key not in answered} if is_object(asked) else {}
    if fresh:
        answers = await answers_to(fresh, listener)
        answered.update(answers)
        await session.request("tasks/update", {**named, "inputResponses": answers}, timeout=_POLL_LIMIT)


async def follow_experiment(session: Session, created: Mapping[str, Any], listener: Listener) -> dict[str, Any]:
    """The result of a call that became a task of 2025-11-25; what its server asks meanwhile belongs to the call."""
    task = created.get("task")
    started = task if is_object(task) else {}
    task_id = _task_id(started)
    try:
        async with unwrapped(anyio.create_task_group()) as tasks:
            tasks.start_soon(_watch, session, started, listener)
            try:
                return await session.request("tasks/result", {"taskId": task_id}, listener=listener)
            finally:
                tasks.cancel_scope.cancel()
    except anyio.get_cancelled_exc_class():
        await _cancel(session, {"taskId": task_id})
        raise


async def _watch(session: Session, state: Mapping[str, Any], listener: Listener) -> None:
    while True:
        await _tell(state, listener)
        await anyio.sleep(_pause(state, "pollInterval"))
        try:
            state = await session.request("tasks/get", {"taskId": _task_id(state)}, timeout=_POLL_LIMIT)
        except (RemoteError, GleitzeitError):
            return  # how far it is cannot be told any more; its result can still come


async def _tell(state: Mapping[str, Any], listener: Listener) -> None:
    message = state.get("statusMessage")
    if listener.report is not None and isinstance(message, str) and message:
        await listener.report(0.0, None, message)


def _ended(state: Mapping[str, Any]) -> dict[str, Any]:
    result, error = state.get("result"), state.get("error")
    if state["status"] == "completed" and is_object(result):
        return result
    if is_object(error):
        code, message = error.get("code"), error.get("message")
        raise RemoteError(code if isinstance(code, int) else INTERNAL_ERROR, str(message or "no reason given"))
    words = state.get("statusMessage") or "no reason given"
    raise ProviderError(f"the server's task ended as {state['status']}: {words}")


async def _cancel(session: Session, named: Mapping[str, Any]) -> None:
    with (
        anyio.move_on_after(_CANCEL_LIMIT, shield=True),
        suppress(RemoteError, GleitzeitError),  # it may be over, or its server gone: nothing is left to be cancelled
    ):
        await session.request("tasks/cancel", named, cancellable=False)


def _task_id(state: Mapping[str, Any]) -> str:
    task_id = state.get("taskId")
    if not isinstance(task_id, str):
        raise ProviderError("it answered with a task that has no taskId", retryable=False)
    return task_id


def _pause(state: Mapping[str, Any], key: str) -> float:
    asked = state.get(key)
    seconds = asked / 1000 if is_finite(asked) else _USUAL_PAUSE
    return min(max(seconds, _SHORTEST_PAUSE), _LONGEST_PAUSE)
