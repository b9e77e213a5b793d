"""What each request needs a scope for: one table, held against every request of both eras."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.shared.exceptions import MCPError
from mcp_types.methods import serialize_server_result

from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.scopes import Scope
from gleitzeit.mcp_server.access.caller import LOCAL, Caller, caller_of
from gleitzeit.mcp_server.manifest.tools import TOOLS

FORBIDDEN = -32003
"""The JSON-RPC error of a request that its token is not good for."""

_BUDGET = 2_000

FREE = frozenset({"initialize", "ping", "server/discover", "logging/setLevel", "tools/list"})
"""Requests that any caller may make: they tell what the server is, and of its tools those that the caller may use."""

REQUESTS: Mapping[str, Scope] = {
    "resources/list": "workflows:read",
    "resources/templates/list": "workflows:read",
    "resources/read": "workflows:read",
    "resources/subscribe": "workflows:read",
    "resources/unsubscribe": "workflows:read",
    "subscriptions/listen": "workflows:read",
    "prompts/list": "workflows:read",
    "prompts/get": "workflows:read",
    "completion/complete": "workflows:read",
    "tasks/get": "workflows:run",
    "tasks/update": "workflows:run",
    "tasks/cancel": "workflows:run",
}
"""The other requests, but for the calls of tools."""

FIXED_TOOLS: Mapping[str, Scope] = {
    "inspect_run": "workflows:read",
    "list_runs": "workflows:read",
    "read_result": "workflows:read",
    "validate_workflow": "workflows:read",
    "search_methods": "workflows:read",
    "list_workflows": "workflows:read",
    "submit_workflow": "workflows:run",
    "call_method": "workflows:run",
    "query_method": "workflows:run",
    "cancel_run": "workflows:run",
    "resume_run": "workflows:run",
    "answer_question": "workflows:run",
    "save_workflow": "workflows:write",
    "delete_workflow": "workflows:write",
}
"""The tools of the manifest. Those that come and go, saved workflows and downstream tools, all run something."""

_ANSWERS = frozenset({"inputResponses", "requestState"})
"""What a call brings that answers questions of a run, which then goes on: reading is not enough for that."""


def scope_of_tool(name: object) -> Scope:
    """What calling a tool needs; one that was forgotten here is left to whoever may do everything."""
    if isinstance(name, str) and name in FIXED_TOOLS:
        return FIXED_TOOLS[name]
    return "admin" if isinstance(name, str) and name in TOOLS else "workflows:run"


def scope_of(method: str, params: Mapping[str, Any] | None) -> Scope | None:
    """What a request needs, if anything; one that nobody has thought of is left to whoever may do everything."""
    if method in FREE:
        return None
    if method == "tools/call":
        given = params or {}
        scope = scope_of_tool(given.get("name"))
        return "workflows:run" if scope == "workflows:read" and not _ANSWERS.isdisjoint(given) else scope
    return REQUESTS.get(method, "admin")


def guard_rights(server: Server[Any]) -> None:
    """Hold all that `server` is asked for against the table, before anything of it is looked at."""

    async def guarded(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        if ctx.request_id is None or not _served(server, ctx.method):
            return await call_next(ctx)
        caller = caller_of(ctx)
        scope = scope_of(ctx.method, ctx.params)
        if scope is not None and not caller.may(scope):
            return _refused(ctx, caller.refusal(scope))
        result = await call_next(ctx)
        return _with_usable_tools(result, caller) if ctx.method == "tools/list" else result

    server.middleware.append(guarded)


def _served(server: Server[Any], method: str) -> bool:
    """Whether there is anything to guard; that there is not is said by the SDK."""
    return method in FREE or server.get_request_handler(method) is not None


def _refused(context: ServerRequestContext[Any, Any], error: ForbiddenError) -> HandlerResult:
    """The answer to a request that the caller may not make: to a model as the result of its tool."""
    if context.method != "tools/call":
        raise MCPError(code=FORBIDDEN, message=f"{error}; {error.hint}", data=dict(error.details)) from error
    from gleitzeit.mcp_server.rendering.refusal import refused  # no answer that is given at the start needs it

    answer = refused(error, _BUDGET)
    result = types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.text)], structured_content=answer.data, is_error=True
    )
    told = result.model_dump(mode="json", by_alias=True, exclude_none=True)
    return serialize_server_result("tools/call", context.protocol_version, told)


def _with_usable_tools(result: HandlerResult, caller: Caller) -> HandlerResult:
    """A list of tools without those that would only refuse: a model does not try what it does not see."""
    if not isinstance(result, dict) or caller == LOCAL:
        return result
    listed = cast("list[dict[str, Any]]", result.get("tools", []))
    usable = [tool for tool in listed if caller.may(scope_of_tool(tool.get("name")))]
    private = {"cacheScope": "private"} if "cacheScope" in result else {}
    return {**result, "tools": usable, **private}
