"""The resources there are, page by page: the fixed ones, saved workflows, and the newest runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import mcp_types as types

from gleitzeit.core.errors import ValidationError
from gleitzeit.mcp_server.access.caller import Caller
from gleitzeit.mcp_server.resources.addresses import (
    RUN_TEMPLATE,
    SCHEMA_URI,
    SERVERS_URI,
    TASK_TEMPLATE,
    WORKFLOW_TEMPLATE,
    run_uri,
    workflow_uri,
)

if TYPE_CHECKING:  # at run time whoever asks for a page brings it
    from gleitzeit.application import Application
    from gleitzeit.engine.base import RunSummary
    from gleitzeit.store.base import SavedWorkflow

PAGE = 100
MOST_RUNS = 200
"""Hosts read every page there is before they show the first; list_runs finds older runs."""

_LONGEST_TEXT = 200

TEMPLATES: Sequence[types.ResourceTemplate] = (
    types.ResourceTemplate(
        uri_template=RUN_TEMPLATE,
        name="run",
        title="Run",
        description="A run with its inputs, its outputs, and each task with its result",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        uri_template=TASK_TEMPLATE,
        name="task",
        title="Task of a run",
        description="One task, item (id[3]) or call (id/2) of a run, with its whole result",
        mime_type="application/json",
    ),
    types.ResourceTemplate(
        uri_template=WORKFLOW_TEMPLATE,
        name="workflow",
        title="Saved workflow",
        description="The document of a saved workflow",
        mime_type="application/yaml",
    ),
)

FIXED: Sequence[types.Resource] = (
    types.Resource(
        uri=SCHEMA_URI,
        name="workflow schema",
        title="Schema of workflow documents",
        description="The JSON Schema of a workflow document, with a description of every key",
        mime_type="application/schema+json",
    ),
    types.Resource(
        uri=SERVERS_URI,
        name="servers",
        title="Downstream servers",
        description="How each downstream MCP server stands",
        mime_type="application/json",
    ),
)


@dataclass(frozen=True, slots=True)
class Page:
    """Some resources; `cursor` asks for the next ones."""

    resources: Sequence[types.Resource]
    cursor: str | None


async def page_of(application: Application, caller: Caller, cursor: str | None) -> Page:
    """The resources after `cursor`. Raises `ValidationError` for a cursor that no page has given."""
    kind, _, rest = (cursor or "workflows:").partition(":")
    if kind == "workflows":
        return await _workflows(application, caller, rest, first=cursor is None)
    listed, _, after = rest.partition(":")
    if kind != "runs" or not listed.isascii() or not listed.isdigit() or int(listed[:9]) >= MOST_RUNS:
        raise ValidationError("this cursor is none of resources/list", hint="start again without one")
    return await _runs(application, caller, int(listed), after or None)


async def _workflows(application: Application, caller: Caller, after: str, *, first: bool) -> Page:
    found = [saved for saved in await application.saved.list(caller=caller.name) if saved.name > after]
    listed = [*(FIXED if first else ()), *(_workflow(saved) for saved in found[:PAGE])]
    if len(found) > PAGE:
        return Page(listed, f"workflows:{found[PAGE - 1].name}")
    runs = await _runs(application, caller, 0, None)
    return Page([*listed, *runs.resources], runs.cursor)


async def _runs(application: Application, caller: Caller, listed: int, after: str | None) -> Page:
    most = min(PAGE, MOST_RUNS - listed)
    found = await application.engine.list(caller=caller.sees, limit=most, cursor=after)
    listed += len(found.runs)
    more = found.cursor is not None and listed < MOST_RUNS
    return Page([_run(run) for run in found.runs], f"runs:{listed}:{found.cursor}" if more else None)


def _workflow(saved: SavedWorkflow) -> types.Resource:
    return types.Resource(
        uri=workflow_uri(saved.name),
        name=_printable(saved.name),
        title=f"Workflow {_printable(saved.name)}",
        description=_printable(saved.workflow.description) or None,
        mime_type="application/yaml",
        annotations=types.Annotations(last_modified=_moment(saved.updated_at)),
    )


def _run(run: RunSummary) -> types.Resource:
    name = _printable(run.name)
    return types.Resource(
        uri=run_uri(run.id),
        name=f"{name} {run.id}",
        title=f"Run of {name}, {_moment(run.created_at)}",
        description=run.status,
        mime_type="application/json",
        annotations=types.Annotations(last_modified=_moment(run.finished_at or run.created_at)),
    )


def _printable(text: str) -> str:
    """A name as a list may show it: in one line, and without marks that change how the rest of it reads."""
    shown = "".join(character if character.isprintable() else " " for character in text[: _LONGEST_TEXT + 1])
    return shown if len(shown) <= _LONGEST_TEXT else f"{shown[:_LONGEST_TEXT]}…"


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
