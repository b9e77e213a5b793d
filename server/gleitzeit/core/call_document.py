"""The document of a single call: one task, whose parameters are data in which nothing is a reference."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.references import opaque_parameters

CALL = "call"
"""The id of the one task."""


def call_document(
    method: str, parameters: Mapping[str, Any], code: Collection[str], *, timeout: float | None = None
) -> Workflow:
    """A workflow that calls `method` with exactly these parameters; those that `code` names are program text."""
    opaque = opaque_parameters(method, parameters, code)  # nothing is filled into it, so that quoting would change it
    quoted = {key: value if key in opaque else _quoted(value) for key, value in parameters.items()}
    task = Task(id=CALL, method=method, parameters=quoted, timeout=timeout)
    return Workflow(name=method[:128], tasks=(task,))


def _quoted(data: Any) -> Any:
    if isinstance(data, str):
        return data.replace("${", "$${")
    if is_mapping(data):
        return {key: _quoted(item) for key, item in data.items()}
    if is_sequence(data):
        return [_quoted(item) for item in data]
    return data
