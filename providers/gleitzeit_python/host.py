"""`TaskHost`: what the code of a task may ask of us, as calls, reports and questions of that task."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

from gleitzeit.core.errors import ForbiddenError
from gleitzeit.providers.base import TaskContext
from gleitzeit_python.turns import Place


class TaskHost:
    """Lets code call what the configuration allows; the engine sees to the task's own `calls`, and to the policy."""

    def __init__(self, task: TaskContext, allow: tuple[str, ...] | None, place: Place) -> None:
        self._task = task
        self._allow = allow
        self._place = place
        self._began = time.monotonic()
        remaining = task.remaining
        self._had = None if remaining is None or math.isinf(remaining) else remaining

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """The result of a method, as a recorded call of the task."""
        if self._allow is not None and not any(fnmatchcase(method, pattern) for pattern in self._allow):
            named = ", ".join(self._allow) or "nothing"
            raise ForbiddenError(
                f"the code of tasks may not call {method}: providers.python.calls.allow names {named}",
                hint="whoever runs this server can add it to the configuration",
            )
        return await self._task.call(method, parameters)

    async def progress(self, done: float, total: float | None, message: str | None) -> None:
        """Tell whoever watches the task."""
        await self._task.report_progress(done, total, message)

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        """Ask the person behind the run; other jobs have the place meanwhile."""
        async with self._place.lent():
            return await self._task.ask(message, schema)

    def waited(self) -> float:
        """Seconds in which the task's own time stood still."""
        remaining = self._task.remaining
        if self._had is None or remaining is None:
            return 0.0
        return max(0.0, time.monotonic() - self._began - (self._had - remaining))
