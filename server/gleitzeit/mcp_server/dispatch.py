"""One tool call: its arguments checked, its handler found, its errors made into answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.shared.exceptions import MCPError

from gleitzeit.application import Application
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import GleitzeitError, NotFoundError
from gleitzeit.core.schema import LastingSchema, misfits, refusal
from gleitzeit.core.schema.misfit import Misfit
from gleitzeit.mcp_server.access.caller import Caller, caller_of
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.published.targets import SERVER_TOOL, Target, begun_target, target_of
from gleitzeit.mcp_server.rendering.answer import Answer
from gleitzeit.mcp_server.rendering.refusal import broken, refused
from gleitzeit.mcp_server.tasks.base import CallTask
from gleitzeit.mcp_server.tasks.extension import declares_tasks, requester_of
from gleitzeit.mcp_server.tasks.runs import RunTasks, patience
from gleitzeit.mcp_server.tools import methods, questions, results, resumption, runs, saved, search, workflows
from gleitzeit.mcp_server.tools.call import Call, Report
from gleitzeit.mcp_server.tools.host import AnswersNeededError, Host
from gleitzeit.mcp_server.tools.origin import origin_of
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
    "read_result": results.read_result,
    "validate_workflow": workflows.validate_workflow,
    "query_method": methods.query_method,
    "call_method": methods.call_method,
    "search_methods": search.search_methods,
    "save_workflow": saved.save_workflow,
    "list_workflows": saved.list_workflows,
    "delete_workflow": saved.delete_workflow,
}

_SCHEMAS: Mapping[str, LastingSchema] = {name: LastingSchema(tool.input_schema) for name, tool in TOOLS.items()}
_CARRYING: Mapping[str, Handler] = {**HANDLERS, SERVER_TOOL: methods.call_server_tool}


async def carry_out(
    context: ServerRequestContext[Face, Any], params: types.CallToolRequestParams, tasks: RunTasks
) -> Answer | types.InputRequiredResult | CallTask:
    """What a tool answers, or what its host has to ask before, or the task of `tasks` that the call goes on as.

    Every error but a cancellation becomes an answer too. Raises `MCPError` where there is no such tool.
    """
    name, budget = params.name, _BUDGET
    try:
        if name in TOOLS:
            _check_arguments(name, _SCHEMAS[name], params.arguments or {})
        application, caller = await context.lifespan_context.application.opened(), caller_of(context)
        target = await _target(application, caller, params)
        defaults, declared = _defaults(target.tool), declares_tasks(context)
        call = Call(
            application,
            {**(patience(target.tool, defaults) if declared else defaults), **target.arguments},
            report=_report(context),
            host=host_of(context),
            meta=origin_of(context.params),
            caller=caller,
        )
        budget = call.budget
        before = round_before(name, params, person=call.host is not None and call.host.person)
        answer = await _CARRYING[target.tool](await _gone_on(call, before))
        task = await tasks.begun(requester_of(context), target.tool, answer) if declared else None
        return task or answer
    except AnswersNeededError as error:
        return needed(name, error)
    except MCPError:
        raise
    except GleitzeitError as error:
        return refused(error, budget, name)
    except Exception as error:  # noqa: BLE001 - one broken call must not end the server
        return broken(name, error)


async def _target(application: Application, caller: Caller, params: types.CallToolRequestParams) -> Target:
    """The tool that carries a call out, and its arguments."""
    name, arguments = params.name, params.arguments or {}
    if name in TOOLS:
        return Target(name, arguments)
    try:
        if params.request_state is not None:  # whatever has become of the tool, the run that it has begun goes on
            return begun_target(name, arguments)
        return await target_of(application, caller.name, name, arguments)
    except NotFoundError as error:
        known = "list_workflows and search_methods show what there is beside the tools that are always there"
        message = f'unknown tool "{name}"; {did_you_mean(name, TOOLS) or known}'
        raise MCPError(code=types.INVALID_PARAMS, message=message) from error


@cache
def _defaults(tool: str) -> Mapping[str, Any]:
    schema = TOOLS["call_method" if tool == SERVER_TOOL else tool].input_schema
    return {key: value["default"] for key, value in schema["properties"].items() if "default" in value}


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
