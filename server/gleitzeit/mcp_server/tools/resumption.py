"""The tool that takes a run up again."""

from __future__ import annotations

from gleitzeit.mcp_server.rendering.answer import Answer
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.outcome import run_answer
from gleitzeit.mcp_server.tools.watch import watch

_ARGUMENTS = ("from_task", "changes", "workflow", "inputs", "unknown")


async def resume_run(call: Call) -> Answer:
    """The run that goes on from the one that was named, after a while; a cancelled wait leaves it alone."""
    given = {name: call.arguments.get(name) for name in _ARGUMENTS}
    run = call.begun or await call.application.resume(call.arguments["run_id"], **given, caller=call.caller.sees)
    run = await watch(call, run, call.arguments["wait_seconds"])
    return run_answer(run, call.budget, await call.application.undecided(run))
