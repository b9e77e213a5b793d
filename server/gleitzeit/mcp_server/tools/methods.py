"""Tools that run a single method."""

from __future__ import annotations

import anyio

from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.models import Run
from gleitzeit.mcp_server.rendering.answer import Answer
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.content import server_answer
from gleitzeit.mcp_server.tools.outcome import method_answer
from gleitzeit.mcp_server.tools.watch import watch

_STOPPING = 1.0


async def query_method(call: Call) -> Answer:
    """The result of a method that is declared read-only; any other is refused."""
    method = call.arguments["method"]
    spec = await call.application.describe(method)
    if spec is None or not spec.read_only:
        raise ForbiddenError(f'"{method}" is not declared read-only', hint="use call_method for it")
    return await call_method(call)


async def call_method(call: Call) -> Answer:
    """The result of any one method."""
    return method_answer(await _carried_out(call), call.budget)


async def call_server_tool(call: Call) -> Answer:
    """What a tool of a downstream server answers, as it came."""
    return server_answer(await _carried_out(call), call.budget)


async def _carried_out(call: Call) -> Run:
    """The run of one method; nobody waits for it any more once the request is cancelled, so it stops then."""
    application, seconds = call.application, call.arguments["timeout_seconds"]
    run = call.begun or await application.call(
        call.arguments["method"],
        call.arguments["parameters"],
        caller=call.caller.name,
        meta=call.meta,
        patient=call.waits_quietly(seconds),
    )
    try:
        return await watch(call, run, seconds)
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_STOPPING, shield=True):
            await application.engine.cancel(run.id, "the request was cancelled", caller=call.caller.sees)
        raise
