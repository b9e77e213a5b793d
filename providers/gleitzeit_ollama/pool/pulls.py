"""Fetching a model that no node has, once for all who need it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from gleitzeit.core.errors import GleitzeitError, ProviderError
from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit_ollama.pool.missing import raised_anew
from gleitzeit_ollama.pool.node import Node
from gleitzeit_ollama.wire.foreign_json import JSON
from gleitzeit_ollama.wire.patience import Patience

_REPORT_SECONDS = 0.5


@dataclass(slots=True)
class _Pull:
    """A model that is being fetched, and the tasks that wait for it and are told how far it is."""

    lock: anyio.Lock = field(default_factory=anyio.Lock)
    tasks: list[TaskContext] = field(default_factory=list[TaskContext])
    error: GleitzeitError | None = None


class Pulls:
    """Fetches each model at most once at a time; a node may be silent for `limit` seconds meanwhile."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._pulls: dict[str, _Pull] = {}

    async def pull(self, model: str, node: Node, arrived: Callable[[], Awaitable[bool]]) -> None:
        """Have `node` fetch a model, or wait until somebody else has; all who wait report progress.

        `arrived` looks whether the model is there now. Where who fetches it gives up, the next one goes on. Raises
        `ProviderError` where it can't be had.
        """
        task, pull = current_task(), self._pulls.setdefault(model, _Pull())
        pull.tasks.append(task)
        try:
            async with pull.lock:
                if pull.error is not None:
                    raise raised_anew(pull.error)
                if not await arrived():
                    await self._fetch(model, node, pull)
                    await arrived()
        finally:
            pull.tasks.remove(task)
            if not pull.tasks:
                del self._pulls[model]

    async def _fetch(self, model: str, node: Node, pull: _Pull) -> None:
        told = 0.0
        try:
            async with node.client.pull(model, Patience(self._limit, self._limit)) as stream:
                async for status in stream:
                    if time.monotonic() - told >= _REPORT_SECONDS:
                        told = time.monotonic()
                        await _tell(model, status, pull)
        except GleitzeitError as error:
            pull.error = _not_fetched(model, node, error)
            raise pull.error from error


async def _tell(model: str, status: JSON, pull: _Pull) -> None:
    done, total = (_bytes(status.get(name)) for name in ("completed", "total"))
    for task in tuple(pull.tasks):
        await task.report_progress(done, total, f"fetching {model}: {status.get('status', '')}")


def _bytes(value: object) -> float | None:
    return value if isinstance(value, int | float) else None


def _not_fetched(model: str, node: Node, error: GleitzeitError) -> ProviderError:
    unknown = "does not exist" in error.message
    hint = "is it spelled as on https://ollama.com/search?" if unknown else error.hint
    return ProviderError(
        f'the Ollama at {node.name} could not fetch the model "{model}": {error.message}',
        hint=hint,
        retryable=error.retryable and not unknown,
        details={"endpoint": node.name, "model": model},
    )
