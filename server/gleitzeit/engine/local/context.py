"""What a task finds around it: the parts of the engine, and what the tasks of its run share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

from gleitzeit.audit.base import Audit
from gleitzeit.audit.unwatched import UNWATCHED
from gleitzeit.core.models import Run
from gleitzeit.core.plan_actions import OutcomeKind
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.evaluator import Evaluator, RunEvaluator
from gleitzeit.engine.local.alarms import Alarms
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.crew import Crew
from gleitzeit.engine.local.inquiry import Inquiry
from gleitzeit.engine.local.run_rows import RunRows
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.engine.local.slots import Slots
from gleitzeit.engine.local.tenure import Tenure
from gleitzeit.providers.base import CacheKey
from gleitzeit.store.base import CacheEntry, EventDraft, RunRow, Store, TaskRow


class Methods(Protocol):
    """What an engine needs of a registry."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Have one request carried out, and return what the provider returned, or raise what it raised."""
        ...

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say.

        Raises `MethodNotFoundError` where nobody serves it.
        """
        ...

    def described(self, method: str) -> MethodSpec | None:
        """What `describe` said last; nothing where it may have changed since, or nobody has asked."""
        ...

    async def cache_key(self, method: str, parameters: Mapping[str, Any]) -> CacheKey | None:
        """What decides a result beside method and parameters; nothing where it is never kept.

        Raises a GleitzeitError where nobody can say.
        """
        ...


Policy = Callable[[str], None]
"""Called with a method before it is carried out; raises `ForbiddenError` to prevent it."""

Asks = Callable[[str], bool]
"""Whether a person has to approve a method before it is carried out."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The parts that carry out tasks. `child` submits a run for a task and returns it once it is over.

    `ask` puts the inquiry of a task of a run, or of a call that it makes, and returns the content of the answer.
    """

    methods: Methods
    store: Store
    evaluator: Evaluator
    clock: Clock
    tenure: Tenure
    alarms: Alarms
    slots: Slots
    crew: Crew
    secrets: Mapping[str, str]
    policy: Policy | None
    asks: Asks | None
    result_bytes: int
    child: Callable[[Submission], Awaitable[Run]]
    ask: Callable[[str, str, Inquiry], Awaitable[dict[str, Any]]]
    audit: Audit = UNWATCHED


class RunContext(NamedTuple):
    """What all tasks of one run share. `run` is its row as it began.

    `rows` are those that are stored; its runner enters them, once they are. `results` are those that references see;
    its course enters them, as soon as they are there. Everybody else only reads both. `record` returns once rows and
    events are durable. `tell` passes a progress event on: it is written with whatever is recorded next, and of several
    of one task only the last. `meta` came with the request that the run was submitted by. It is `traced` where somebody
    looks at spans.
    """

    run: RunRow
    rows: RunRows
    roots: tuple[Path, ...]
    secrets: RunSecrets
    evaluator: RunEvaluator
    results: dict[str, Any]
    parts: EngineParts
    record: Callable[[Sequence[TaskRow], Sequence[EventDraft]], Awaitable[None]]
    tell: Callable[[EventDraft], None]
    meta: Mapping[str, str]
    traced: bool = False


EndingKind = OutcomeKind | Literal["again"]


class Ending(NamedTuple):
    """What became of an attempt: its row, what is told of it, and the items of a foreach.

    `size` is about how many bytes the result has. After `again` comes another attempt, in `delay` seconds.
    """

    kind: EndingKind
    row: TaskRow
    events: list[EventDraft]
    items: Sequence[Any] = ()
    size: int = 0
    delay: float = 0.0
    cache: CacheEntry | None = None
