"""The JSON Schema of a workflow document, from the models."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.adapting import schema_of
from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.models import RESERVED_IDS, Workflow

ID = "gleitzeit://schema/workflow"

_DESCRIPTIONS: dict[str, dict[str, str]] = {
    "Workflow": {
        "name": "What the workflow is called",
        "description": "What it does",
        "inputs": "A JSON Schema for each input; those without a default have to be given",
        "tasks": "The steps; each runs as soon as what it needs is there",
        "outputs": "What the run returns, by name; without it, the results of the tasks that nobody depends on",
        "settings": "Limits of the whole run",
    },
    "Task": {
        "id": "Its name in ${id.field}",
        "name": "A label",
        "description": "What it is for",
        "method": "What it calls, such as llm/chat or mcp/tool.fs.read_file",
        "parameters": "What the method is given; ${task.field} and ${inputs.name} are filled in",
        "dependencies": "Ids of tasks to wait for; a reference to a task is a dependency too",
        "when": "A condition in CEL; where it is false the task is skipped",
        "trigger_rule": "all_done: run whatever became of the dependencies",
        "foreach": "A list, or a reference to one: the task runs once an item, with ${item} and ${index}",
        "max_parallel": "How many items of foreach run at once",
        "retry": "How often and how soon it is tried again",
        "timeout": "Seconds that one attempt may take",
        "on_error": "continue: the run goes on, and the task's result is null",
        "retry_on_crash": "Whether it runs again by itself after a crash; false: somebody decides",
        "calls": "Methods that the task's own code may call, * standing for any ending",
        "cache": "Use a result of an earlier run again, for the same method and parameters",
    },
    "Retry": {
        "max_attempts": "Attempts, the first one among them",
        "delay": "Seconds before the second attempt",
        "exponential_backoff": "Double the delay each time",
        "max_delay": "The longest delay, in seconds",
        "ambiguous": "Also try again where the attempt may have been carried out",
    },
    "Cache": {
        "ttl": "Seconds",
        "force": "Also use a result that would not come out the same again, such as a text written with chance",
    },
    "Settings": {
        "max_parallel_tasks": "How many tasks run at once",
        "default_timeout": "Seconds that an attempt of a task without a timeout may take",
        "timeout": "Seconds that the run may take",
        "continue_on_error": "true: as if every task had on_error: continue",
    },
}


def workflow_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a workflow document, with a description of every key."""
    schema = schema_of(Workflow)
    definitions = schema.pop("$defs")
    for name, model in (("Workflow", schema), *definitions.items()):
        _describe(model, _DESCRIPTIONS.get(name, {}))
    definitions["Task"]["properties"]["id"]["not"] = {"enum": sorted(RESERVED_IDS)}
    schema["properties"]["inputs"]["additionalProperties"] = {
        "anyOf": [
            {"enum": ["string", "integer", "number", "boolean", "array", "object", "null"]},
            {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        ]
    }
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": ID,
        "title": "Gleitzeit workflow",
        "description": "Tasks, what they depend on, and what the run returns.",
    }
    return {**head, **{key: value for key, value in schema.items() if key not in head}, "$defs": definitions}


def _describe(model: dict[str, Any], words: dict[str, str]) -> None:
    for name, property_schema in model.get("properties", {}).items():
        _untitled(property_schema)
        if name in words:
            property_schema["description"] = words[name]


def _untitled(schema: Any) -> None:
    """The titles that pydantic makes of the keys say nothing."""
    if is_object(schema):
        if isinstance(schema.get("title"), str):
            del schema["title"]
        for value in schema.values():
            _untitled(value)
    elif is_list(schema):
        for value in schema:
            _untitled(value)
