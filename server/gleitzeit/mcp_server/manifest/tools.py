"""What each tool says of itself to a model: name, purpose, arguments, result and how safe it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mcp_types as types

from gleitzeit.mcp_server.manifest import schemas

_LONGEST_RESULT = "anthropic/maxResultSizeChars"
"""Characters up to which a known host shows a result to the model, instead of a file that it wrote it to."""


def _tool(
    name: str,
    title: str,
    description: str,
    arguments: Mapping[str, Any],
    result: Mapping[str, Any],
    *,
    required: tuple[str, ...] = (),
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    open_world: bool = False,
    longest: int | None = None,
) -> types.Tool:
    return types.Tool(
        name=name,
        title=title,
        description=description,
        input_schema=schemas.arguments(arguments, required),
        output_schema=dict(result),
        annotations=types.ToolAnnotations(
            read_only_hint=read_only,
            destructive_hint=None if read_only else destructive,
            idempotent_hint=idempotent or None,
            open_world_hint=open_world,
        ),
        _meta=None if longest is None else {_LONGEST_RESULT: longest},
    )


_SUBMIT = _tool(
    "submit_workflow",
    "Run a workflow",
    "Run a workflow, methods chained, in parallel where they can be: one of workflow, name and path. Returns the "
    "outputs if it is done within wait_seconds, else a run_id for inspect_run. "
    'Example: workflow="tasks:\\n  - {id: a, method: mcp/tool.time.get_current_time, parameters: {timezone: UTC}}\\n'
    '  - {id: b, method: llm/chat, parameters: {model: llama3.2, messages: [{content: \\"Explain ${a.text}\\"}]}}". '
    "For one method use call_method.",
    {
        **schemas.DOCUMENT,
        "wait_seconds": schemas.waiting(10),
        "idempotency_key": {"type": "string", "description": "the same key never gives a second run"},
    },
    schemas.RUN,
    destructive=True,
    open_world=True,
)

_INSPECT = _tool(
    "inspect_run",
    "Inspect a run",
    "See how a run stands, or wait for it: state, outputs, failures, questions, what to do next. "
    'detail "tasks": each task; "results": each with its whole result and metadata, such as what code printed; '
    '"events": what happened, in order, after after_seq; "document": what was submitted. '
    'Example: {"run_id": "...", "wait_seconds": 30}.',
    {
        "run_id": {"type": "string"},
        "wait_seconds": schemas.waiting(0),
        "detail": {"enum": ["summary", "tasks", "results", "events", "document"], "default": "summary"},
        "after_seq": {"type": "integer", "minimum": 0, "default": 0},
    },
    schemas.INSPECTION,
    required=("run_id",),
    read_only=True,
)

_LIST = _tool(
    "list_runs",
    "List runs",
    "Find runs, newest first; `cursor` of the last answer gives the next page. Use it when a run_id is lost.",
    {
        "status": {"enum": list(schemas.RUN_STATES)},
        "name": {"type": "string", "description": "the workflow's name"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
        "cursor": {"type": "string"},
    },
    schemas.RUN_LIST,
    read_only=True,
)

_CANCEL = _tool(
    "cancel_run",
    "Cancel a run",
    "Stop a run; its finished tasks stay as they are. A run that is over does not change.",
    {"run_id": {"type": "string"}, "reason": {"type": "string"}},
    schemas.RUN,
    required=("run_id",),
    destructive=True,
    idempotent=True,
)

_RESUME = _tool(
    "resume_run",
    "Resume a run",
    "Go on with a run that failed, was cancelled, waits for a decision or lost its process: in a new run, or in the "
    "same one if it only lost its process. Finished results are kept where the task and what it uses did not change. "
    'Example: {"run_id": "...", "changes": {"fetch": {"parameters": {"url": "..."}}}}.',
    {
        "run_id": {"type": "string"},
        "from_task": {"type": "string", "description": "run this and what depends on it again"},
        "changes": {"type": "object", "description": "by task id, merged into the task; null removes a key"},
        "workflow": {"type": ["string", "object"], "description": "a new document; not with changes"},
        "inputs": {"type": "object", "description": "only those that change"},
        "unknown": {
            "type": "object",
            "additionalProperties": {"enum": list(schemas.DECISIONS)},
            "description": "by task id or item, such as send[3]: what became of it",
        },
        "wait_seconds": schemas.waiting(10),
    },
    schemas.RUN,
    required=("run_id",),
    destructive=True,
    open_world=True,
)

_ANSWER = _tool(
    "answer_question",
    "Answer a question",
    "Answer a question of a waiting run, as inspect_run shows it. What only the user can know, ask the user first.",
    {
        "run_id": {"type": "string"},
        "question_id": {"type": "string"},
        "answer": {"type": "object", "description": "fits its schema"},
        "decline": {"type": "boolean", "default": False},
        "wait_seconds": schemas.waiting(10),
    },
    schemas.RUN,
    required=("run_id", "question_id"),
    destructive=True,
    open_world=True,
)

_READ = _tool(
    "read_result",
    "Read a large result",
    "Read what was too large to show: outputs of a run, or the result of a task, an item (id[3]) or a call (id/2). "
    "`path` goes inside; offset and limit count characters of a text, items of a list, fields of an object, or the "
    "lines that grep, a regular expression, finds in all of it. "
    'Example: {"run_id": "...", "path": "pages[0].text", "grep": "(?i)price"}.',
    {
        "run_id": {"type": "string"},
        "task_id": {"type": "string", "description": "none: the outputs"},
        "path": {"type": "string", "description": "such as items[0].name"},
        "grep": {"type": "string"},
        "offset": {"type": "integer", "minimum": 0, "default": 0},
        "limit": {"type": "integer", "minimum": 1},
    },
    schemas.VALUE,
    required=("run_id",),
    read_only=True,
    longest=200_000,
)

_VALIDATE = _tool(
    "validate_workflow",
    "Check a workflow",
    "Check a workflow and see its plan without running it: every problem with line, column and how to mend it; the "
    "waves of tasks that run together; a mermaid diagram. Use it before a long run.",
    schemas.DOCUMENT,
    schemas.VALIDATION,
    read_only=True,
)

_PARAMETERS: Mapping[str, Any] = {
    "method": {"type": "string", "description": 'as search_methods names it, such as "llm/chat"'},
    "parameters": {"type": "object", "default": {}},
    "timeout_seconds": schemas.waiting(10),
}

_QUERY = _tool(
    "query_method",
    "Run a read-only method",
    "Run one method that is declared read-only and return its result. For any other method use call_method. "
    'Example: {"method": "mcp/tool.time.get_current_time", "parameters": {"timezone": "UTC"}}.',
    _PARAMETERS,
    schemas.RUN,
    required=("method",),
    read_only=True,
    open_world=True,
)

_CALL = _tool(
    "call_method",
    "Run one method",
    "Run any one method, such as a tool of a downstream server, and return its result; not done after "
    "timeout_seconds, it goes on and the answer has a run_id for inspect_run. To use results in further methods: "
    'submit_workflow. Example: {"method": "llm/generate", "parameters": {"prompt": "Hi"}}.',
    _PARAMETERS,
    schemas.RUN,
    required=("method",),
    destructive=True,
    open_world=True,
)

_SEARCH = _tool(
    "search_methods",
    "Find methods",
    "Find what workflows and call_method can use: methods of providers and tools of downstream servers. Without "
    'query: an overview with the state of each provider and server. detail "schema" adds parameters and results. '
    'Example: {"query": "read file", "detail": "schema", "limit": 3}.',
    {
        "query": {"type": "string", "default": ""},
        "provider": {"type": "string", "description": "only this provider, prefix or downstream server"},
        "detail": {"enum": ["name", "summary", "schema"], "default": "summary"},
        "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    },
    schemas.METHODS,
    read_only=True,
)

_SAVE = _tool(
    "save_workflow",
    "Save a workflow",
    "Check a workflow and keep it under a name, which submit_workflow and the method workflow/run take.",
    {
        "workflow": schemas.WORKFLOW,
        "name": {"type": "string", "description": "default: the document's own"},
        "overwrite": {"type": "boolean", "default": False},
    },
    schemas.SAVED,
    required=("workflow",),
    destructive=True,
    idempotent=True,
)

_SAVED = _tool(
    "list_workflows",
    "List saved workflows",
    "List saved workflows with their inputs; with `name`, show the document of one.",
    {"name": {"type": "string"}},
    schemas.SAVED_LIST,
    read_only=True,
)

_DELETE = _tool(
    "delete_workflow",
    "Delete a saved workflow",
    "Forget a saved workflow; its runs stay as they are.",
    {"name": {"type": "string"}},
    schemas.SAVED,
    required=("name",),
    destructive=True,
    idempotent=True,
)

TOOLS: Mapping[str, types.Tool] = {
    tool.name: tool
    for tool in (
        *(_SUBMIT, _INSPECT, _LIST, _CANCEL, _RESUME, _ANSWER, _READ),
        *(_VALIDATE, _QUERY, _CALL, _SEARCH),
        *(_SAVE, _SAVED, _DELETE),
    )
}
"""The tools by name, in the order in which they are listed."""
