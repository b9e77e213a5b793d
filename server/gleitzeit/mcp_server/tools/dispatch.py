"""One tool call: its arguments checked, its handler found, its errors made into answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.schema import misfits, refusal
from gleitzeit.core.schema.misfit import Misfit
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.tools import methods, questions, resumption, runs, saved, search, workflows
from gleitzeit.mcp_server.tools.answer import Answer
from gleitzeit.mcp_server.tools.call import Call, Report
from gleitzeit.mcp_server.tools.host import AnswersNeededError, Host
from gleitzeit.mcp_server.tools.manifest import TOOLS
from gleitzeit.mcp_server.tools.origin import origin_of
from gleitzeit.mcp_server.tools.refusal import broken, refused
from gleitzeit.mcp_server.tools.rounds import Round, host_of, needed, round_before

_BUDGET = 32_000  # of an answer that comes before the configuration is known

Handler = Callable[[Call], Awaitable[Answer]]

HANDLERS: Mapping[str, Handler] = {
    "submit_workflow": workflows.submit_workflow,
    "inspect_run": runs.inspect_run,
    "list_runs": runs.list_runs,
    "cancel_run": runs.cancel_run,
    "resume_run": resumption.resume_run,
    "answer_question": questions.answer_question,
    "validate_workflow": workflows.validate_workflow,
    "query_method": methods.query_method,
    "call_method": methods.call_method,
    "search_methods": search.search_methods,
    "save_workflow": saved.save_workflow,
    "list_workflows": saved.list_workflows,
    "delete_workflow": saved.delete_workflow,
}


async def carry_out(
    context: ServerRequestContext[Face, Any], params: types.CallToolRequestParams
) -> Answer | types.InputRequiredResult:
    """What a tool answers, or what its host has to ask before; every error but a cancellation becomes an answer too."""
    name, arguments = params.name, params.arguments or {}
    schema = TOOLS[name].input_schema
    budget = _BUDGET
    try:
        _check_arguments(name, schema, arguments)
        application = await context.lifespan_context.application.opened()
        defaults = {key: value["default"] for key, value in schema["properties"].items() if "default" in value}
        call = Call(
            application,
            {**defaults, **arguments},
            report=_report(context),
            host=host_of(context),
            meta=origin_of(context.params),
            caller=caller_of(context),
        )
        budget = call.budget
        return await HANDLERS[name](await _gone_on(call, round_before(name, params)))
    except AnswersNeededError as error:
        return needed(name, error)
    except GleitzeitError as error:
        return refused(error, budget, name)
    except Exception as error:  # noqa: BLE001 - one broken call must not end the server
        return broken(name, error)


async def _gone_on(call: Call, before: Round | None) -> Call:
    """The call with the run that it has begun in the round before, whose questions get their answers.

    Raises `RunNotFoundError` for a run that is not the caller's.
    """
    if before is None:
        return call
    engine, host = call.application.engine, call.host or Host(None, choices=False)
    await host.deliver(engine, before.run_id, before.replies, call.caller.sees)
    return replace(call, begun=await engine.get(before.run_id, caller=call.caller.sees))


def _check_arguments(name: str, schema: Mapping[str, Any], arguments: Mapping[str, Any]) -> None:
    """Raise `ValidationError` naming everything that does not fit, and of a number over its limit that limit."""
    found = [_with_limit(misfit, schema["properties"], arguments) for misfit in misfits(schema, arguments)]
    if found:
        raise refusal(name, found)


def _with_limit(misfit: Misfit, properties: Mapping[str, Any], arguments: Mapping[str, Any]) -> Misfit:
    key = str(misfit.path[0]) if len(misfit.path) == 1 else ""
    limit, given = properties.get(key, {}).get("maximum"), arguments.get(key)
    if limit is None or not isinstance(given, int | float) or given <= limit:
        return misfit
    return replace(misfit, hint=f"write {key}: {limit}")


def _report(context: ServerRequestContext[Face, Any]) -> Report | None:
    asked = context.meta is not None and context.meta.get("progress_token") is not None
    return context.session.report_progress if asked else None
