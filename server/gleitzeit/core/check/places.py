"""Where references stand, and what they can refer to there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.check.inline import inline
from gleitzeit.core.check.shapes import Shape
from gleitzeit.core.data import PathKey
from gleitzeit.core.document import Reading
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.graph import identify
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec

Where = tuple[PathKey, ...]
Specs = Mapping[str, MethodSpec | MethodNotFoundError | None]
"""What is known of each method: what it takes, that it is not there, or nothing."""

Saved = Mapping[str, Workflow]
"""The saved workflows that a document runs, by name, as far as they are known."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the references of a workflow can refer to.

    `results` and `readings` are filled in as they are asked for: what tasks return, and the workflows inside of them.
    """

    tasks: Mapping[str, Task]
    inputs: Mapping[str, Any]
    names: Mapping[str, str]
    specs: Specs
    saved: Saved
    results: dict[str, Shape] = field(default_factory=dict[str, Shape], compare=False)
    readings: dict[str, Reading | None] = field(default_factory=dict[str, "Reading | None"], compare=False)

    @classmethod
    def of(cls, workflow: Workflow, specs: Specs, saved: Saved) -> Surroundings:
        """Those of a workflow."""
        return cls({task.id: task for task in workflow.tasks}, workflow.inputs, identify(workflow), specs, saved)

    def reading(self, task: Task) -> Reading | None:
        """The workflow that stands in a task, if one does; of tasks with one id, that of the last."""
        if self.tasks.get(task.id) is not task:
            return inline(task)
        if task.id not in self.readings:
            self.readings[task.id] = inline(task)
        return self.readings[task.id]

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
