"""What the code of one task may call and start, and how such a call is identified and carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import anyio

from gleitzeit.core.call_document import CALL
from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.digest import canonical_text, digest
from gleitzeit.core.errors import ForbiddenError, GleitzeitError, TimeoutError
from gleitzeit.core.models import Task
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.local.cancellation import ends_the_task
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.failures import translate
from gleitzeit.engine.local.journal import Call
from gleitzeit.engine.local.results import taken
from gleitzeit.engine.local.secrets import RunSecrets

DEEPEST = 8
_LONGEST_SHOWN = 200


def calls_name(calls: Sequence[str], method: str) -> bool:
    """Whether `calls`, those of a task or of a method, name `method`."""
    return any(fnmatchcase(method, pattern) for pattern in calls)


def allow_call(task: Task, method: str) -> None:
    """Raise `ForbiddenError` where the task's `calls` do not name `method`."""
    if not calls_name(task.calls, method):
        named = ", ".join(task.calls) or "nothing"
        raise ForbiddenError(
            f'task "{task.id}" may not call {method}: its `calls` name {named}', hint=_way_to_call(task, method)
        )


def _way_to_call(task: Task, method: str) -> str:
    if task.id == CALL and not task.calls:  # most likely by `call_method`, which has no place for any
        return f'call_method allows no calls: submit a workflow with a task whose `calls` name "{method}"'
    return f'add "{method}" to its `calls`'


def allow_workflow(task: Task) -> None:
    """Raise `ForbiddenError` where the task is not one that runs a workflow."""
    if task.method != RUN_WORKFLOW:
        raise ForbiddenError(f"{task.method} starts no workflows by itself", hint=f"let it call {RUN_WORKFLOW}")


def allow_parameters(method: str, parameters: Mapping[str, Any], secrets: RunSecrets) -> None:
    """Raise `ForbiddenError` where a secret would become an input of another workflow."""
    if method == RUN_WORKFLOW and secrets.holds(parameters):
        raise ForbiddenError(
            "a secret cannot be an input of another workflow, for inputs are stored",
            hint="refer to ${secrets.NAME} inside of that workflow",
        )


def identified(method: str, parameters: Mapping[str, Any], spec: MethodSpec | None, secrets: RunSecrets) -> Call:
    """A call by its method and parameters; in place of a secret stands the reference to it."""
    text = canonical_text(told_parameters(parameters, secrets))
    resumes = method == RUN_WORKFLOW  # its start is recorded, for by its key the child run is found again
    return Call(
        method=method,
        digest=digest(method, text),
        shown=text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…",
        read_only=spec is not None and spec.read_only,
        repeatable=spec is not None and (spec.read_only or spec.idempotent) and not resumes,
        resumes=resumes,
    )


def told_parameters(parameters: Mapping[str, Any], secrets: RunSecrets) -> Any:
    """Parameters as they may be shown and kept: in place of a secret stands the reference to it."""
    if not secrets.named:
        return parameters
    longest_first = sorted(secrets.named.items(), key=lambda item: -len(item[1]))  # one may be part of another
    return secrets.redact(_told(parameters, longest_first))


async def carried_out(
    context: RunContext, method: str, parameters: dict[str, Any], seconds: float | None, deadline: Deadline
) -> tuple[dict[str, Any], int]:
    """What the method returns, as data of our own, and about how many bytes it is.

    Where it has `seconds`, they end at the `deadline`. Raises a GleitzeitError, whatever its provider raised.
    """
    if seconds is None:
        return await _answer(context, method, parameters)
    scope = anyio.CancelScope()

    def move() -> None:
        scope.deadline = anyio.current_time() + deadline.remaining

    deadline.moved = move
    move()
    try:
        with scope:
            return await _answer(context, method, parameters)
    except GleitzeitError:
        if not scope.cancel_called:  # else it is what a cancelled provider says, which does not count
            raise
    raise TimeoutError(f"{method} took longer than {seconds:g} s", hint="give the call a longer `timeout`")


async def _answer(context: RunContext, method: str, parameters: dict[str, Any]) -> tuple[dict[str, Any], int]:
    try:
        answer = await context.parts.methods.execute(method, parameters)
    except GleitzeitError:
        raise
    except BaseException as error:
        if ends_the_task(error):
            raise
        raise translate(error, method, context.secrets.redact) from error
    return taken(answer, context.parts.result_bytes)


def _told(data: Any, secrets: Sequence[tuple[str, str]]) -> Any:
    if isinstance(data, str):
        return _told_text(data, secrets)
    if is_mapping(data):
        return {_told_text(key, secrets): _told(item, secrets) for key, item in data.items()}
    if is_sequence(data):
        return [_told(item, secrets) for item in data]
    return data


def _told_text(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    if not secrets:
        return text.replace("${", "$${")
    (name, value), *others = secrets
    parts = text.split(value) if value else [text]
    return f"${{secrets.{name}}}".join(_told_text(part, others) for part in parts)
