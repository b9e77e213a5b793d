"""The document of a single call: one task, whose parameters are data in which nothing is a reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.models import Settings, Task, Workflow
from gleitzeit.core.references import opaque_parameters

CALL = "call"
"""The id of the one task."""


def call_document(
    method: str,
    parameters: Mapping[str, Any],
    code: Collection[str],
    *,
    timeout: float | None = None,
    settings: Settings | None = None,
    secrets: Mapping[str, str] | None = None,
) -> Workflow:
    """A workflow that calls `method` with exactly these parameters; those that `code` names are program text.

    A value of `secrets`, by name, is written as the reference to it, except in code.
    """
    opaque = opaque_parameters(method, parameters, code)  # nothing is filled into it, so that quoting would change it
    named = sorted((secrets or {}).items(), key=lambda item: -len(item[1]))  # one may be part of another
    quoted = {key: value if key in opaque else _quoted(value, named) for key, value in parameters.items()}
    task = Task(id=CALL, method=method, parameters=quoted, timeout=timeout)
    return Workflow(name=method[:128], tasks=(task,), settings=settings or Settings())


def _quoted(data: Any, secrets: Sequence[tuple[str, str]]) -> Any:
    if isinstance(data, str):
        return _quoted_text(data, secrets)
    if is_mapping(data):
        return {key: _quoted(item, secrets) for key, item in data.items()}
    if is_sequence(data):
        return [_quoted(item, secrets) for item in data]
    return data


def _quoted_text(text: str, secrets: Sequence[tuple[str, str]]) -> str:
    if not secrets:
        return text.replace("${", "$${")
    (name, value), *others = secrets
    parts = text.split(value) if value else [text]
    return f"${{secrets.{name}}}".join(_quoted_text(part, others) for part in parts)
