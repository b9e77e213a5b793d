"""What a plan is told and what it answers: outcomes, and the actions that follow from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

OutcomeKind = Literal["completed", "failed", "skipped", "expanded", "waiting", "resumed", "unknown", "cancelled"]
JoinState = Literal["completed", "failed", "unknown"]
FinalState = Literal["completed", "failed", "cancelled"]


@dataclass(frozen=True, slots=True)
class Start:
    """Carry out a task, or the item `index` of a foreach; a foreach itself is started to be resolved."""

    key: str
    task_id: str
    index: int | None = None


@dataclass(frozen=True, slots=True)
class Continue:
    """Let a task go on that was waiting: it has a slot again."""

    key: str


@dataclass(frozen=True, slots=True)
class Skip:
    """Record that a task will not run because its dependency `blocker` came to a bad end."""

    key: str
    blocker: str


@dataclass(frozen=True, slots=True)
class Join:
    """Assemble the result of a foreach whose items are over, and report its outcome."""

    key: str
    state: JoinState


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing runs, and nothing will before somebody answers or decides."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The run is over; `failed` are the tasks that made it fail, in document order."""

    state: FinalState
    failed: tuple[str, ...] = ()


Action = Start | Continue | Skip | Join | Rest | Finish


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a task or item. `skipped` is by its own `when`; `expanded` is a foreach with `count` items."""

    kind: OutcomeKind
    key: str
    count: int = 0
