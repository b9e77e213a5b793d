"""Tools that keep workflows under their names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from gleitzeit.mcp_server.published.names import workflow_tool
from gleitzeit.mcp_server.rendering.answer import Answer, compact, cut, fitting, plain, size
from gleitzeit.mcp_server.tools.call import Call

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.application.saved_workflows import Trouble
    from gleitzeit.store.base import SavedWorkflow


async def save_workflow(call: Call) -> Answer:
    """Keep a workflow that could run."""
    arguments, name = call.arguments, call.arguments.get("name")
    checked = await call.application.check(arguments["workflow"], name=name, caller=call.caller.name)
    saved = await call.application.saved.save(
        checked, name=name, overwrite=arguments["overwrite"], caller=call.caller.name
    )
    example = compact({"name": saved.name, "inputs": dict.fromkeys(saved.workflow.inputs, "...")})
    tool = workflow_tool(saved.name)
    text = f'Saved "{saved.name}", version {saved.version}. Run it by submit_workflow with {example}, or as {tool}.'
    return Answer(text, {"name": saved.name, "version": saved.version, "tool": tool})


async def list_workflows(call: Call) -> Answer:
    """What is saved, and what of it can't be used; or the document of one."""
    name, caller, workflows = call.arguments.get("name"), call.caller.name, call.application.saved
    if name is not None:
        return _document(await workflows.get(name, caller=caller), call.budget)
    found = [_entry(saved) for saved in await workflows.list(caller=caller)]
    problems = fitting([_problem(trouble) for trouble in await workflows.troubles(caller=caller)], call.budget // 4)
    shown = fitting(found, call.budget - size(compact(problems)))
    lines = [f"- {compact(entry)}" for entry in shown] or ["No workflow is saved yet; save_workflow keeps one."]
    if len(shown) < len(found):
        names = ", ".join(str(entry["name"]) for entry in found[len(shown) :])
        lines.append(f"{len(found) - len(shown)} more: {names}")
    lines += [f"- can't be used: {compact(problem)}" for problem in problems]
    data = {"workflows": shown, **({"problems": problems} if problems else {})}
    return Answer(cut("\n".join(lines), call.budget), plain(data))


async def delete_workflow(call: Call) -> Answer:
    """Forget a saved workflow."""
    name = call.arguments["name"]
    await call.application.saved.delete(name, caller=call.caller.name)
    return Answer(f'Deleted "{name}".', {"name": name})


def _entry(saved: SavedWorkflow) -> dict[str, Any]:
    kept = {"version": saved.version} if saved.path is None else {"file": PurePath(saved.path).name}
    entry: dict[str, Any] = {"name": saved.name, "tool": workflow_tool(saved.name), **kept}
    entry["updated_at"] = _moment(saved.updated_at)
    facts: Mapping[str, Any] = {"description": saved.workflow.description, "inputs": dict(saved.workflow.inputs)}
    return entry | {key: value for key, value in facts.items() if value}


def _problem(trouble: Trouble) -> dict[str, Any]:
    return {"subject": trouble.subject, "diagnostics": [diagnostic.to_dict() for diagnostic in trouble.diagnostics]}


def _document(saved: SavedWorkflow, budget: int) -> Answer:
    document = saved.workflow.canonical()
    text = compact(document)
    data = {"workflows": [_entry(saved)], **({"document": document} if size(text) <= budget else {})}
    kept = f"version {saved.version}" if saved.path is None else f"the file {PurePath(saved.path).name}"
    return Answer(cut(f"{saved.name}, {kept}\n{text}", budget), plain(data))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
