"""The tool that answers what a run asks."""

from __future__ import annotations

from gleitzeit.core.errors import ValidationError
from gleitzeit.engine.base import Reply
from gleitzeit.mcp_server.rendering.answer import Answer
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.outcome import run_answer
from gleitzeit.mcp_server.tools.watch import watch


async def answer_question(call: Call) -> Answer:
    """The run after a question of it was answered, and after a while; a cancelled wait leaves it alone."""
    run = call.begun
    if run is None:
        given = call.arguments
        run = await call.application.engine.answer(
            given["run_id"], given["question_id"], _reply(call), caller=call.caller.sees
        )
    run = await watch(call, run, call.arguments["wait_seconds"])
    return run_answer(run, call.budget, await call.application.undecided(run))


def _reply(call: Call) -> Reply:
    answer, declined = call.arguments.get("answer"), call.arguments["decline"]
    if declined and answer is None:
        return Reply("decline", answered_by="model")
    if declined or answer is None:
        raise ValidationError(
            "answer_question takes either an answer or decline",
            hint='give an object that fits the question\'s schema as answer, or "decline": true',
        )
    return Reply("accept", answer, answered_by="model")
