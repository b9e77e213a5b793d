"""Child runs of one task: the document of a nested call, and what its end means for the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gleitzeit.core.call_document import CALL, call_document
from gleitzeit.core.errors import ForbiddenError, GleitzeitError
from gleitzeit.core.models import Run, Settings, Task, Workflow
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.engine.local.results import copied, measured
from gleitzeit.engine.local.secrets import RunSecrets

DEEPEST = 8


def allow_call(task: Task, method: str) -> None:
    """Raise `ForbiddenError` where the task's `calls` do not name `method`."""
    if not any(fnmatchcase(method, pattern) for pattern in task.calls):
        named = ", ".join(task.calls) or "nothing"
        raise ForbiddenError(
            f'task "{task.id}" may not call {method}: its `calls` name {named}', hint=f'add "{method}" to its `calls`'
        )


def allow_workflow(task: Task) -> None:
    """Raise `ForbiddenError` where the task is not one that runs a workflow."""
    if task.method != RUN_WORKFLOW:
        raise ForbiddenError(f"{task.method} starts no workflows by itself", hint=f"let it call {RUN_WORKFLOW}")


def nested_call(
    method: str, parameters: Mapping[str, Any], code: Collection[str], seconds: float, secrets: RunSecrets
) -> Workflow:
    """The workflow of one nested call; a secret of its caller is stored as the reference to it."""
    data: dict[str, Any] = measured(parameters)[0]
    document = call_document(method, data, code, settings=Settings(default_timeout=seconds), secrets=secrets.named)
    if secrets.holds(document.tasks[0].parameters):
        raise ForbiddenError(f"{method}: a secret cannot be the name of a parameter, nor stand in code")
    return document


def call_result(run: Run) -> Any:
    """What a nested call returned. Raises what its method raised."""
    result = run.tasks[CALL]
    if result.status == "completed":
        return copied(result.result)
    failure = result.error or run.error
    raise failure.to_error() if failure else GleitzeitError(f"the call {run.id} ended as {run.status}")
