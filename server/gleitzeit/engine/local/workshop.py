"""`Workshop`: what all runs of one engine share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import anyio

from gleitzeit.core.models import Run
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local.clock import Clock
from gleitzeit.store.base import Store


class Methods(Protocol):
    """What an engine needs of a registry."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Have one request carried out, and return what the provider returned, or raise what it raised."""
        ...

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say."""
        ...


Policy = Callable[[str, str], None]
"""Called with a method and the caller before it is carried out; raises `ForbiddenError` to prevent it."""


@dataclass(frozen=True, slots=True)
class Workshop:
    """The parts that carry out tasks. `child` submits a run for a task and returns it once it is over."""

    methods: Methods
    store: Store
    evaluator: Evaluator
    clock: Clock
    secrets: Mapping[str, str]
    policy: Policy | None
    result_bytes: int
    seats: anyio.Semaphore | None
    child: Callable[[Submission], Awaitable[Run]]
