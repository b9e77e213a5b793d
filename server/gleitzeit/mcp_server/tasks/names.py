"""The ids of the tasks that runs are: all that has to be known of one, beside what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gleitzeit.core.errors import NotFoundError

Telling = Literal["run", "method", "content"]
"""How a tool tells a run: as that of a workflow, of one method, or of a downstream tool whose content is passed on."""


@dataclass(frozen=True, slots=True)
class TaskName:
    """A run, and how the tool that waits for it tells it."""

    run_id: str
    telling: Telling

    def __str__(self) -> str:
        return f"{self.run_id}.{self.telling}"

    @classmethod
    def of(cls, task_id: str) -> TaskName:
        """The name that an id says. Raises `NotFoundError` for an id that no task has ever had."""
        run_id, _, told = task_id.rpartition(".")
        for telling in get_args(Telling):
            if run_id and told == telling:
                return cls(run_id, telling)
        raise NotFoundError("there is no such task")
