"""Tools that keep workflows under their names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gleitzeit.mcp_server.tools.answer import Answer, compact, cut, fitting, plain, size
from gleitzeit.mcp_server.tools.call import Call

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.store.base import SavedWorkflow


async def save_workflow(call: Call) -> Answer:
    """Keep a workflow that could run."""
    arguments, name = call.arguments, call.arguments.get("name")
    checked = await call.application.check(arguments["workflow"], name=name)
    saved = await call.application.saved.save(
        checked, name=name, overwrite=arguments["overwrite"], caller=call.caller.name
    )
    example = compact({"name": saved.name, "inputs": dict.fromkeys(saved.workflow.inputs, "...")})
    text = f'Saved "{saved.name}", version {saved.version}. Run it by submit_workflow with {example}.'
    return Answer(text, {"name": saved.name, "version": saved.version})


async def list_workflows(call: Call) -> Answer:
    """What is saved, or the document of one."""
    name = call.arguments.get("name")
    if name is not None:
        return _document(await call.application.saved.get(name, caller=call.caller.name), call.budget)
    found = [_entry(saved) for saved in await call.application.saved.list(caller=call.caller.name)]
    shown = fitting(found, call.budget)
    lines = [f"- {compact(entry)}" for entry in shown] or ["No workflow is saved yet; save_workflow keeps one."]
    if len(shown) < len(found):
        names = ", ".join(str(entry["name"]) for entry in found[len(shown) :])
        lines.append(f"{len(found) - len(shown)} more: {names}")
    return Answer(cut("\n".join(lines), call.budget), plain({"workflows": shown}))


async def delete_workflow(call: Call) -> Answer:
    """Forget a saved workflow."""
    name = call.arguments["name"]
    await call.application.saved.delete(name, caller=call.caller.name)
    return Answer(f'Deleted "{name}".', {"name": name})


def _entry(saved: SavedWorkflow) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": saved.name, "version": saved.version, "updated_at": _moment(saved.updated_at)}
    facts: Mapping[str, Any] = {"description": saved.workflow.description, "inputs": dict(saved.workflow.inputs)}
    return entry | {key: value for key, value in facts.items() if value}


def _document(saved: SavedWorkflow, budget: int) -> Answer:
    document = saved.workflow.canonical()
    text = compact(document)
    data = {"workflows": [_entry(saved)], **({"document": document} if size(text) <= budget else {})}
    return Answer(cut(f"{saved.name}, version {saved.version}\n{text}", budget), plain(data))


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
