"""Where references stand, and what they can refer to there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import PathKey
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.graph import identify
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec

Where = tuple[PathKey, ...]
Specs = Mapping[str, MethodSpec | MethodNotFoundError | None]
"""What is known of each method: what it takes, that it is not there, or nothing."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the references of a workflow can refer to."""

    tasks: Mapping[str, Task]
    inputs: Mapping[str, Any]
    names: Mapping[str, str]
    specs: Specs

    @classmethod
    def of(cls, workflow: Workflow, specs: Specs) -> Surroundings:
        """Those of a workflow."""
        return cls({task.id: task for task in workflow.tasks}, workflow.inputs, identify(workflow), specs)

    def spec(self, task: Task) -> MethodSpec | None:
        """What the method of a task takes and returns, where that is known."""
        spec = self.specs.get(task.method)
        return spec if isinstance(spec, MethodSpec) else None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reference stands, and whether it may use the item at hand and secrets there."""

    around: Surroundings
    task: Task | None = None
    item: bool = False
    secrets: bool = False
