"""Tools that take a whole workflow: run it, or only check it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from gleitzeit.application.unchecked import with_unchecked
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.graph import mermaid
from gleitzeit.core.models import Run, Workflow
from gleitzeit.mcp_server.rendering.answer import Answer, cut, plain
from gleitzeit.mcp_server.rendering.diagnoses import diagnoses
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.outcome import run_answer
from gleitzeit.mcp_server.tools.watch import watch


@dataclass(frozen=True, slots=True)
class _Source:
    document: str | bytes | Mapping[str, Any] | Workflow
    name: str | None = None


async def submit_workflow(call: Call) -> Answer:
    """Accept a workflow, wait for a while, and tell what became of it; a cancelled wait leaves the run alone."""
    run = await watch(call, call.begun or await _submitted(call), call.arguments["wait_seconds"])
    return run_answer(run, call.budget, await call.application.undecided(run))


async def _submitted(call: Call) -> Run:
    source = await _source(call, "submit_workflow")
    return await call.application.submit(
        source.document,
        call.arguments["inputs"],
        name=source.name,
        caller=call.caller.name,
        idempotency_key=call.arguments.get("idempotency_key"),
        meta=call.meta,
        patient=call.waits_quietly(call.arguments["wait_seconds"]),
    )


async def validate_workflow(call: Call) -> Answer:
    """Everything that is wrong with a workflow, or the plan of one that could run."""
    source = await _source(call, "validate_workflow")
    # Inputs that are not given are not held against the document: it is checked, not run.
    inputs = call.arguments["inputs"] or None
    found = await call.application.check(source.document, inputs, name=source.name, caller=call.caller.name)
    checked = await with_unchecked(call.application, found)
    told = diagnoses(checked.diagnostics, call.budget)
    if not checked.valid or checked.workflow is None:
        text = "\n".join(["The workflow is not valid:", *told.lines])
        return Answer(text, {"valid": False, "diagnostics": told.data})
    plan = checked.plan
    chart = mermaid(checked.workflow)
    data = {"valid": True, "diagnostics": told.data, "inputs": checked.inputs, "plan": plan, "mermaid": chart}
    text = "\n".join(["The workflow is valid.", *told.lines, *_plan_lines(plan), chart])
    return Answer(cut(text, call.budget), plain(data))


async def _source(call: Call, tool: str) -> _Source:
    given = {key: call.arguments[key] for key in ("workflow", "name", "path") if call.arguments.get(key) is not None}
    if len(given) != 1:
        raise ValidationError(
            f"{tool} takes one of workflow, name and path, and {' and '.join(given) or 'none of them'} "
            f"{'was' if len(given) < 2 else 'were'} given",
            hint="give the document itself as workflow, a saved one as name, or a file inside files.roots as path",
        )
    if "path" in given:
        return _Source(await call.application.read_path(given["path"]), PurePath(given["path"]).stem)
    if "name" in given:
        return _Source(await call.application.saved.source(given["name"], caller=call.caller.name), given["name"])
    return _Source(given["workflow"])


def _plan_lines(plan: list[list[dict[str, Any]]]) -> list[str]:
    return [
        f"{number}. " + ", ".join(f"{task['task_id']} ({task['method']})" for task in wave)
        for number, wave in enumerate(plan, 1)
    ]
