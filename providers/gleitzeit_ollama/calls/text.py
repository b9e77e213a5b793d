"""The methods of text: one question, or a batch of them that the nodes of the pool share."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit_ollama.calls.batch import each
from gleitzeit_ollama.calls.exchange import Exchange
from gleitzeit_ollama.calls.pictures import with_pictures
from gleitzeit_ollama.calls.spreading import room
from gleitzeit_ollama.methods.batch import batch_of
from gleitzeit_ollama.methods.parameters import model_name
from gleitzeit_ollama.methods.protocol import TEXT_REQUESTS
from gleitzeit_ollama.pool.base import Pool, full_name
from gleitzeit_ollama.settings import OllamaSettings


class TextCall:
    """Carries out a method of `TEXT_REQUESTS` for a task, by a pool."""

    def __init__(self, pool: Pool, settings: OllamaSettings, method: str) -> None:
        self._pool = pool
        self._settings = settings
        self._method = method
        self._exchange = Exchange(pool)

    async def result(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """The result of a call; of a batch `results`, in order.

        Raises what `Exchange.answer` and `with_pictures` do, and `ValidationError` for what a schema cannot say.
        """
        seen = await with_pictures(self._method, parameters)
        items = batch_of(self._method, seen)
        return await self._one(seen) if items is None else await self._batch(items)

    async def _one(self, parameters: Mapping[str, Any], task: TaskContext | None = None) -> dict[str, Any]:
        return await self._exchange.answer(TEXT_REQUESTS[self._method](parameters, self._settings), task)

    async def _batch(self, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The results of all items; their nodes are counted in the task's metadata, and nothing else is told of one."""
        started = time.monotonic()
        nodes: Counter[str] = Counter()

        async def one(_index: int, item: dict[str, Any]) -> dict[str, Any]:
            unwatched = TaskContext()
            result = await self._one(await with_pictures(self._method, item), unwatched)
            nodes[str(unwatched.metadata["node"])] += 1
            return result

        model = model_name(self._method, items[0], self._settings.models) if items else None
        width = room(self._pool, full_name(model), self._settings.max_queue) if model else 1
        try:
            return await each(items, one, width)
        finally:
            duration = round(time.monotonic() - started, 6)
            current_task().record(model=model, nodes=dict(nodes), duration=duration)
