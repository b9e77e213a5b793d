"""Child runs of one task: the document of a nested call, and what its end means for the caller."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, cast

from gleitzeit.core.errors import ForbiddenError, GleitzeitError
from gleitzeit.core.models import Run, Settings, Task, Workflow
from gleitzeit.core.references import opaque_parameters
from gleitzeit.engine.local.failures import error_of
from gleitzeit.engine.local.results import copied, measured
from gleitzeit.engine.local.secrets import Vault

DEEPEST = 8
CALL = "call"


def allow_call(task: Task, method: str) -> None:
    """Raise `ForbiddenError` where the task's `calls` do not name `method`."""
    if not any(fnmatchcase(method, pattern) for pattern in task.calls):
        named = ", ".join(task.calls) or "nothing"
        raise ForbiddenError(
            f'task "{task.id}" may not call {method}: its `calls` name {named}', hint=f'add "{method}" to its `calls`'
        )


def call_document(
    method: str, parameters: Mapping[str, Any], code: Collection[str], seconds: float, vault: Vault
) -> Workflow:
    """The workflow of one nested call.

    Its parameters are data: nothing in them is a reference, except that a secret which its caller was given is stored
    as the reference to it. Of those that are code nothing is changed.
    """
    data: dict[str, Any] = measured(parameters)[0]
    text = opaque_parameters(method, data, code)
    secrets = list(vault.used.items())
    literal = {key: value if key in text else _literal(value, secrets) for key, value in data.items()}
    if vault.holds(literal):
        raise ForbiddenError(f"{method}: a secret cannot be the name of a parameter, nor stand in code")
    call = Task(id=CALL, method=method, parameters=literal)
    return Workflow(name=method[:128], tasks=(call,), settings=Settings(default_timeout=seconds))


def call_result(run: Run) -> Any:
    """What a nested call returned. Raises what its method raised."""
    result = run.tasks[CALL]
    if result.status == "completed":
        return copied(result.result)
    failure = result.error or run.error
    raise error_of(failure) if failure else GleitzeitError(f"the call {run.id} ended as {run.status}")


def _literal(data: Any, secrets: list[tuple[str, str]]) -> Any:
    if isinstance(data, str):
        return _literal_text(data, secrets)
    if isinstance(data, dict):
        fields = cast("dict[str, Any]", data)
        return {key: _literal(item, secrets) for key, item in fields.items()}
    if isinstance(data, list):
        items = cast("Sequence[Any]", data)
        return [_literal(item, secrets) for item in items]
    return data


def _literal_text(text: str, secrets: list[tuple[str, str]]) -> str:
    if not secrets:
        return text.replace("${", "$${")
    (name, value), *others = secrets
    parts = text.split(value) if value else [text]
    return f"${{secrets.{name}}}".join(_literal_text(part, others) for part in parts)
