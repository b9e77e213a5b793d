"""How long a task or call may take."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, TypeVar

from gleitzeit.core.models import Task

Default = TypeVar("Default", float, None)


def time_limit(task: Task, parameters: Mapping[str, Any], default: Default) -> float | Default:
    """Seconds that one attempt may take: the task's `timeout`, else that in its parameters, else the default."""
    if task.timeout is not None:
        return task.timeout
    asked = parameters.get("timeout")
    if isinstance(asked, int | float) and not isinstance(asked, bool) and asked > 0:
        return float(min(asked, sys.float_info.max))  # an integer may be too large for a float
    return default
