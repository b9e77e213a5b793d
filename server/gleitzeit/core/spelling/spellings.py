"""What people and models write instead: one table, read by `respell`.

`KEYS` says which key another word stands for. `MOVED` says which key of another place it belongs to. `HINTS` are
words of other systems that mean nothing here, with what to write instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Literal

from gleitzeit.core.models import Cache, Retry, Settings, Task, Workflow

Place = Literal["document", "task", "retry", "settings", "cache"]

_MODELS: Mapping[Place, type[Workflow | Task | Retry | Settings | Cache]] = {
    "document": Workflow,
    "task": Task,
    "retry": Retry,
    "settings": Settings,
    "cache": Cache,
}

KNOWN: Mapping[Place, tuple[str, ...]] = {
    place: tuple(field.name for field in fields(model)) for place, model in _MODELS.items()
}
"""The keys of the language itself, by place."""


def _words(**words: str) -> dict[str, str]:
    return {word: key for key, line in words.items() for word in line.split()}


KEYS: Mapping[Place, Mapping[str, str]] = {
    "document": _words(
        name="title display_name workflow_name",
        description="desc summary",
        inputs="input parameters params arguments",
        tasks="steps nodes activities actions",
        outputs="output results returns",
        settings="options config",
    ),
    "task": _words(
        id="task_id step_id key ref",
        name="title label display_name",
        description="desc",
        method="tool uses type action operator function tool_name activity",
        parameters="with args arguments params parameter inputs input kwargs op_kwargs",
        dependencies="needs depends_on depends requires after upstream wait_for dependency",
        when="if condition run_if only_if",
        foreach="for_each with_items items map_over",
        max_parallel="concurrency max_concurrency parallelism concurrency_limit",
        retry="retry_policy retry_strategy retries_policy",
        timeout="timeout_seconds execution_timeout start_to_close_timeout time_limit",
        calls="allowed_calls may_call",
    ),
    "retry": _words(
        max_attempts="attempts max max_attempt maximum_attempts count times max_tries tries",
        delay="interval wait delay_seconds initial_delay initial_interval retry_delay min_delay",
        exponential_backoff="exponential retry_exponential_backoff",
        max_delay="max_interval maximum_interval max_backoff max_retry_delay",
    ),
    "settings": _words(
        max_parallel_tasks="max_parallel concurrency parallelism max_concurrency max_concurrent_tasks max_active_tasks",
        default_timeout="task_timeout",
        timeout="workflow_timeout run_timeout timeout_seconds",
    ),
    "cache": _words(ttl="seconds max_age expires duration", force="forced always"),
}
"""Other words for the same key, written with underscores; `dependsOn` and `depends-on` are the same word."""

MOVED: Mapping[Place, Mapping[str, tuple[str, str]]] = {
    "document": {
        word: ("settings", key)
        for word, key in {
            "timeout": "timeout",
            "default_timeout": "default_timeout",
            "max_parallel_tasks": "max_parallel_tasks",
            "max_parallel": "max_parallel_tasks",
            "parallelism": "max_parallel_tasks",
            "max_concurrency": "max_parallel_tasks",
            "max_active_tasks": "max_parallel_tasks",
            "continue_on_error": "continue_on_error",
        }.items()
    },
    "task": {
        "max_attempts": ("retry", "max_attempts"),
        "attempts": ("retry", "max_attempts"),
        "retry_delay": ("retry", "delay"),
        "retry_interval": ("retry", "delay"),
        "retry_exponential_backoff": ("retry", "exponential_backoff"),
        "max_retry_delay": ("retry", "max_delay"),
    },
}
"""Keys that stand one level too high, and the section and key they belong to."""

RETRIES = frozenset({"retries", "max_retries", "num_retries", "retry_count", "maximum_retries"})
"""Counts of repetitions: the first attempt comes on top."""

CONTINUES = frozenset(
    {"continue_on_error", "continue_on_fail", "continue_on_failure", "allow_failure", "ignore_errors", "ignore_error"}
)
"""A true one means `on_error: continue`."""

MINUTES = frozenset({"timeout_minutes"})
MILLISECONDS = frozenset({"timeout_ms"})

VALUES: Mapping[str, Mapping[str, str]] = {
    "on_error": _words(
        **{"continue": "ignore skip continue_on_error proceed resume", "fail": "stop abort raise error"}
    ),
    "trigger_rule": _words(all_done="always done completed", all_success="success on_success"),
}
"""Other words for the same value."""

TYPES: Mapping[str, str] = {
    "str": "string",
    "text": "string",
    "uri": "string",
    "date": "string",
    "datetime": "string",
    "int": "integer",
    "long": "integer",
    "float": "number",
    "double": "number",
    "bool": "boolean",
    "list": "array",
    "dict": "object",
    "map": "object",
    "mapping": "object",
    "json": "object",
    **{name: name for name in ("string", "integer", "number", "boolean", "array", "object", "null")},
}
"""Names of types, and those of JSON Schema for them."""

HOLDERS = frozenset({"jobs", "job", "dag", "spec", "templates", "pipeline", "stages"})
"""Keys under which other systems keep their tasks; who has one of them is not told that tasks are missing, too."""

_LOOP = "write foreach: [...] (or a reference to a list) on the task; ${item} is the item at hand"
_START = "a workflow runs when it is submitted; remove this key"
_SHELL = "use a python/execute task, or a tool that runs commands"
_INSIDE = "put it under parameters, with a method that takes it"

HINTS: Mapping[Place, Mapping[str, str]] = {
    "document": {
        "jobs": "write the steps of all jobs as one list under tasks, with dependencies for needs",
        "job": "write its steps as a list under tasks",
        "stages": "write the steps of all stages as one list under tasks, with dependencies",
        "pipeline": "put its tasks at the top, as tasks",
        "matrix": _LOOP,
        "strategy": _LOOP,
        "until": _LOOP,
        "on": _START,
        "triggers": _START,
        "trigger": _START,
        "schedule": _START,
        "schedule_interval": _START,
        "cron": _START,
        "version": "remove this key; a document has no version",
        "api_version": "remove this key; name, inputs and tasks stand at the top",
        "kind": "remove this key; name, inputs and tasks stand at the top",
        "metadata": "put its name at the top, as name",
        "spec": "put its tasks at the top, as tasks",
        "templates": "write each template that is used as a task under tasks",
        "entrypoint": "remove this key; tasks without dependencies begin",
        "dag": "put its tasks at the top, as tasks",
        "env": "pass values as parameters of the tasks that need them",
        "variables": "declare them under inputs: {name: {default: value}} and write ${inputs.name}",
        "vars": "declare them under inputs: {name: {default: value}} and write ${inputs.name}",
        "connections": "remove this key; a task waits for what its dependencies name, and for what it refers to",
        "edges": "remove this key; a task waits for what its dependencies name, and for what it refers to",
        "namespace": "remove this key; a document has none",
        "id": "write name",
        "defaults": "write the values at each task, or under settings",
        "on_failure": "add a task with trigger_rule: all_done",
        "finally": "add a task with trigger_rule: all_done",
        "errors": "add a task with trigger_rule: all_done",
    },
    "task": {
        "run": _SHELL,
        "command": _INSIDE,
        "commands": _SHELL,
        "bash_command": _SHELL,
        "script": _INSIDE,
        "code": _INSIDE,
        "prompt": _INSIDE,
        "model": _INSIDE,
        "messages": _INSIDE,
        "url": _INSIDE,
        "env": _INSIDE,
        "python_callable": "use method: python/execute with parameters: {code: ...} or {script: ...}",
        "matrix": _LOOP,
        "strategy": _LOOP,
        "loop": _LOOP,
        "until": "a task runs once; let retry repeat it when it fails, or write foreach for a list",
        "while": "a task runs once; let retry repeat it when it fails, or write foreach for a list",
        "repeat": "a task runs once; let retry repeat it when it fails, or write foreach for a list",
        "outputs": "remove it; ${id.field} reads a field of the task's result",
        "output": "remove it; ${id.field} reads a field of the task's result",
        "register": "remove it; ${id.field} reads a field of the task's result",
        "next": "write dependencies at the task that follows",
        "then": "write dependencies at the task that follows",
        "downstream": "write dependencies at the task that follows",
        "else": "add a task whose when is the opposite",
        "tasks": "write nested tasks as tasks of their own, or use workflow/run",
        "steps": "write nested steps as tasks of their own, or use workflow/run",
        "parallel": "tasks run side by side unless one depends on the other; max_parallel limits a foreach",
        "finally": "add a task with trigger_rule: all_done",
        "template": "write the template's method and parameters here",
        "runs_on": "remove it",
        "priority": "remove it; what is ready runs in the order of the document",
        "position": "remove it",
        "type_version": "remove it",
        "credentials": "put secrets in the configuration and pass ${secrets.NAME}",
    },
    "retry": {
        "limit": "write max_attempts: the number of attempts, the first one among them",
        "retry_policy": "remove it; only failures that a repetition can mend are retried",
        "factor": "write exponential_backoff: true; the delay doubles each time",
        "multiplier": "write exponential_backoff: true; the delay doubles each time",
        "backoff_coefficient": "write exponential_backoff: true; the delay doubles each time",
        "backoff_factor": "write exponential_backoff: true; the delay doubles each time",
        "jitter": "remove it",
        "retry_on": "remove it; only failures that a repetition can mend are retried",
    },
    "settings": {"max_retries": "write retry at each task", "retry": "write retry at each task"},
}
"""Keys of other systems that mean nothing here, and what to do."""
