"""An answer on its way from a node to whoever asked."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_ollama.pool.errand import Errand
from gleitzeit_ollama.pool.turns import Turn
from gleitzeit_ollama.wire.foreign_json import JSON, whole

_NANOSECONDS = 1e9


class NodeReply:
    """The objects of one answer as they come, and who gives it.

    `last` is the last one so far, `whole` tells whether no more have to come, and `error` why no more came.
    """

    def __init__(self, objects: AsyncIterator[JSON], turn: Turn, errand: Errand) -> None:
        self.node = turn.node
        self.cold = turn.cold
        self.waited = errand.waited
        self.tries = errand.tries
        self.last: JSON = {}
        self.whole = False
        self.error: GleitzeitError | None = None
        self._objects = objects
        self._started = errand.started

    @classmethod
    def of(cls, answer: JSON, turn: Turn, errand: Errand) -> NodeReply:
        """An answer that is there already, all of it in one object."""
        reply = cls(_alone(answer), turn, errand)
        reply.last, reply.whole = answer, True
        return reply

    def __aiter__(self) -> NodeReply:
        return self

    async def __anext__(self) -> JSON:
        try:
            self.last = await anext(self._objects)
        except GleitzeitError as error:
            self.error = error
            raise
        self.whole = self.whole or self.last.get("done") is True
        return self.last

    @property
    def shares(self) -> tuple[float, float]:
        """The seconds that loading and the prompt took, as the last object says, but never more than have passed."""
        passed = time.monotonic() - self._started
        load = min(whole(self.last.get("load_duration")) / _NANOSECONDS, passed)
        return load, min(whole(self.last.get("prompt_eval_duration")) / _NANOSECONDS, passed - load)


async def _alone(answer: JSON) -> AsyncIterator[JSON]:
    yield answer
