"""What references see when a task is dispatched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final[Any] = _Absent()
"""Stands where there is no item, since null is one."""


ALIASES = {"input": "inputs", "steps": "tasks"}
"""Other words for the same names."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Results by task id (null for a skipped task, or one that failed and may), inputs, and what else has a name."""

    tasks: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    run_id: str = ""
    item: Any = ABSENT
    index: int | None = None
    secrets: Mapping[str, str] = field(default_factory=dict[str, str])
