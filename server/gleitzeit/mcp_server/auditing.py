"""Requests on the record: who asked for what stands in the audit before it is carried out, and after how it ended."""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from mcp.shared.exceptions import MCPError

from gleitzeit.core.errors import CancelledError, ForbiddenError, GleitzeitError, NotFoundError, UnrecordedError
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.access.rights import FORBIDDEN
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.tasks.names import TaskName

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.audit.base import Audit, Entry

_RECORDED = frozenset({"tools/call", "resources/read", "resources/subscribe", "prompts/get", "subscriptions/listen"})
_TASKS = "tasks/"
_TASK = "taskId"
"""The id of a task of the extension says which run it is."""

_NOBODY = "?"
_TOLD = {"is_error", "structured_content"}
_DENIED = frozenset({ForbiddenError.code, str(FORBIDDEN)})


class Auditing(ServerMiddleware[Face]):
    """Records every request that reads what is a caller's own, or does something; not lists of what there is."""

    async def __call__(self, ctx: ServerRequestContext[Face, Any], call_next: CallNext) -> HandlerResult:
        """What the request is answered, once that is recorded; a refusal where it can't be recorded beforehand."""
        audit = await _audit_for(ctx)
        if audit is None:
            return await call_next(ctx)
        entry, begun = _requested(ctx), time.perf_counter()
        ending = _Ending("cancelled", CancelledError.code)
        try:
            await audit.record(entry)
            answer = await call_next(ctx)
            ending = _ending_of(answer)
        except Exception as error:
            ending = _Ending("failed", _code_of(error))
            if not isinstance(error, UnrecordedError):
                raise
            answer = _unrecorded(ctx, error)
        finally:
            audit.note(_answered(entry, ending, time.perf_counter() - begun))
        await audit.settled()
        return answer


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a request ended: the code of what went wrong, the run that it led to, and the rule that it was denied by."""

    outcome: Literal["completed", "failed", "cancelled"]
    error: str | None = None
    run_id: str | None = None
    rule: str | None = None


async def _audit_for(context: ServerRequestContext[Face, Any]) -> Audit | None:
    """The audit that a request belongs in, if it does in any."""
    if context.request_id is None or not (context.method in _RECORDED or context.method.startswith(_TASKS)):
        return None
    try:
        audit = (await context.lifespan_context.application.opened()).audit
    except GleitzeitError:  # what carries the request out meets the same, and says so
        return None
    return audit if audit.active else None


def _requested(context: ServerRequestContext[Face, Any]) -> Entry:
    from gleitzeit.audit.base import Entry  # the application is open by now, and has brought it

    params = context.params or {}
    request = context.request
    named = _fields(params.get("arguments")) or params
    peer = None if request is None or request.client is None else request.client.host
    return Entry(
        event="requested",
        id=randomness.token_hex(8),
        caller=_caller(context),
        request=context.method,
        transport="stdio" if request is None else "sse" if "/messages" in request.url.path else "http",
        peer=peer,
        tool=_text(params.get("name")),
        resource=_text(params.get("uri")),
        run_id=_text(named.get("run_id")) or _run_of(params.get(_TASK)),
        method=_text(named.get("method")),
        parameters={key: value for key, value in params.items() if key != "_meta"},
    )


def _answered(entry: Entry, ending: _Ending, seconds: float) -> Entry:
    return replace(
        entry,
        event="answered",
        at=time.time(),
        decision="denied" if ending.error in _DENIED else None,
        rule=ending.rule,
        run_id=ending.run_id or entry.run_id,
        parameters=None,
        outcome=ending.outcome,
        error=ending.error,
        seconds=seconds,
    )


def _ending_of(answer: HandlerResult) -> _Ending:
    """What an answer says of itself; a tool that failed says so in its result."""
    told = answer.model_dump(by_alias=True, include=_TOLD) if isinstance(answer, types.CallToolResult) else answer
    fields = _fields(told)
    content = _fields(fields.get("structuredContent"))
    run_id = _text(content.get("run_id")) or _run_of(fields.get(_TASK))
    if not fields.get("isError"):
        return _Ending("completed", run_id=run_id)
    failure = _fields(content.get("error"))
    rule = _text(_fields(failure.get("details")).get("rule"))
    return _Ending("failed", _text(failure.get("code")) or "error", run_id, rule)


def _unrecorded(context: ServerRequestContext[Face, Any], error: UnrecordedError) -> HandlerResult:
    if context.method != "tools/call":
        raise MCPError(code=types.INTERNAL_ERROR, message=error.message)
    from gleitzeit.mcp_server.rendering.refusal import refused  # as for the entry: it has come by now

    answer = refused(error, 4_000)
    content = [types.TextContent(type="text", text=answer.text)]
    return types.CallToolResult(content=list(content), structured_content=dict(answer.data), is_error=True)


def _caller(context: ServerRequestContext[Face, Any]) -> str:
    try:
        return caller_of(context).name
    except ForbiddenError:  # the request is refused by whoever asks next; that it came is recorded
        return _NOBODY


def _code_of(error: Exception) -> str:
    if isinstance(error, MCPError):
        return str(error.error.code)
    return error.code if isinstance(error, GleitzeitError) else "internal"


def _run_of(task_id: Any) -> str | None:
    try:
        return TaskName.of(str(task_id)).run_id
    except NotFoundError:  # whatever it is, it is among the parameters
        return None


def _fields(value: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
