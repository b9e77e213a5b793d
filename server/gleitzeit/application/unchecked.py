"""What of a workflow could not be checked, because the downstream server that has its tools is not up."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gleitzeit.application.application import Application
from gleitzeit.application.checking import Checked
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.models import Workflow

Row = Mapping[str, Any]

_TOOL = "mcp/tool."
_UP = ("ready", "degraded")
_ENDED = re.compile(r"exited with code|was killed by")


async def with_unchecked(application: Application, checked: Checked) -> Checked:
    """The same with a warning for each server whose tools the workflow uses, and that could not say what they take."""
    if checked.workflow is None or not any(task.method.startswith(_TOOL) for task in checked.workflow.tasks):
        return checked
    down = [row for row in await application.servers() if row["state"] not in _UP]
    listed = {str(tool["method"]) for tool in await application.server_tools()} if down else set[str]()
    warnings = _warnings(checked.workflow, down, listed, application.registry.names_of)
    return replace(checked, diagnostics=(*checked.diagnostics, *warnings))


def _warnings(
    workflow: Workflow, down: Iterable[Row], listed: set[str], names_of: Callable[[str], Sequence[str]]
) -> list[Diagnostic]:
    names = {task.id: names_of(task.method) for task in workflow.tasks if task.method.startswith(_TOOL)}
    unknown = {task_id: of_task for task_id, of_task in names.items() if listed.isdisjoint(of_task)}
    warnings: list[Diagnostic] = []
    for row in down:
        address = f"{_TOOL}{row['name']}."
        tasks = [task_id for task_id, of_task in unknown.items() if any(name.startswith(address) for name in of_task)]
        if tasks:
            warnings.append(_warning(row, tasks))
    return warnings


def _warning(row: Row, tasks: Sequence[str]) -> Diagnostic:
    reason = short_problem(row)
    message = (
        f'server "{row["name"]}" is {row["state"]}{f" ({reason})" if reason else ""}: '
        f"methods and parameters of {', '.join(tasks)} were not checked"
    )
    return Diagnostic("provider_unavailable", message, hint=row.get("hint"), severity="warning")


def short_problem(row: Row) -> str:
    """What is wrong with a server in a few words: of a process that ended, the last that it said."""
    first = str(row.get("last_error") or "").partition("\n")[0]
    written = [str(line).strip() for line in row.get("stderr") or () if str(line).strip()]
    if written and _ENDED.search(first):
        return written[-1]
    return first.removeprefix(f'server "{row["name"]}"').lstrip(": ").removeprefix("did not start: ")
