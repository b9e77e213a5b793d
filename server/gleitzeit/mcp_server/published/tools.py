"""What a saved workflow, or a tool of a downstream server, says of itself as a tool of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import mcp_types as types

from gleitzeit.core.data import is_mapping
from gleitzeit.core.inputs import schema_of_inputs
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.manifest import schemas
from gleitzeit.mcp_server.published.names import server_tool, workflow_tool
from gleitzeit.mcp_server.published.wording import LONGEST_DESCRIPTION, cleaned, one_line, shortened, shown_schema
from gleitzeit.store.base import SavedWorkflow

_LONGEST_NAME = 128
_ANYTHING: Mapping[str, Any] = {"type": "object"}


def tool_of_workflow(saved: SavedWorkflow, methods: Sequence[MethodSpec | None]) -> types.Tool:
    """A saved workflow as a tool; `methods` are what is known of those that it calls, which decide how safe it is."""
    schema = shown_schema(schema_of_inputs(saved.workflow))
    name = one_line(saved.name, _LONGEST_NAME)
    told = cleaned(saved.workflow.description)
    more = "" if schema is not None else " Its inputs can't be shown here: list_workflows with its `name` has them."
    head = f'The saved workflow "{name}".{more} Not done after a few seconds, it goes on, and a run_id is returned.'
    read_only = bool(methods) and all(spec is not None and spec.read_only for spec in methods)
    repeatable = all(spec is not None and (spec.read_only or spec.idempotent) for spec in methods)
    return types.Tool(
        name=workflow_tool(saved.name),
        title=f"Workflow {name}",
        description=shortened(f"{told}\n\n{head}" if told else head, LONGEST_DESCRIPTION),
        input_schema=dict(schema or _ANYTHING),
        output_schema=dict(schemas.RUN),
        annotations=types.ToolAnnotations(
            read_only_hint=read_only,
            destructive_hint=None if read_only else True,
            idempotent_hint=None if read_only else repeatable,
            open_world_hint=True,
        ),
    )


def tool_of_server(tool: Mapping[str, Any]) -> types.Tool:
    """A downstream tool, as `mcp/tools/list` shows it, as a tool of ours; it says whose it is.

    It declares no result: a call that takes long returns a run in place of it.
    """
    server, own = str(tool["server"]), str(tool["name"])
    given: Any = tool.get("input_schema")
    schema = shown_schema(given) if is_mapping(given) else None
    head = f'Tool "{one_line(own, _LONGEST_NAME)}" of the MCP server "{one_line(server, _LONGEST_NAME)}".'
    if schema is None:
        head += ' Its parameters can\'t be shown here: search_methods with detail "schema" has them.'
    told = cleaned(str(tool.get("description", "")))
    return types.Tool(
        name=server_tool(server, own),
        title=one_line(str(tool.get("title") or own)),
        description=shortened(f"{head} {told}".strip(), LONGEST_DESCRIPTION),
        input_schema=dict(schema or _ANYTHING),
        annotations=types.ToolAnnotations.model_validate(tool.get("annotations", {})),
    )
