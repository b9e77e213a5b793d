"""Gleitzeit: a workflow engine behind one MCP server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gleitzeit.version import __version__

# Loaded by name when first used: a program that only builds a Workflow pays for nothing else.
if TYPE_CHECKING:
    from gleitzeit.client import GleitzeitClient
    from gleitzeit.core.models import Run, Task, TaskResult, Workflow

__all__ = ["GleitzeitClient", "Run", "Task", "TaskResult", "Workflow", "__version__"]

_MODELS = "gleitzeit.core.models"
_HOMES = {
    "GleitzeitClient": "gleitzeit.client",
    "Run": _MODELS,
    "Task": _MODELS,
    "TaskResult": _MODELS,
    "Workflow": _MODELS,
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
