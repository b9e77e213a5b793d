"""A pool without a network, which answers by a function of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.base import NodeReport, Reply

JSON = dict[str, Any]
Answering = Callable[[Mapping[str, Any]], Awaitable[JSON]]


async def nobody(payload: Mapping[str, Any]) -> JSON:
    """For a pool that must not be asked."""
    raise AssertionError(payload)


@dataclass(slots=True)
class Given:
    """An answer that is there at once."""

    node: str = "http://one:11434"
    cold: bool = False
    waited: float = 0.0
    tries: int = 1

    async def __aiter__(self) -> AsyncIterator[JSON]:
        yield {"done": True}


@dataclass(slots=True)
class MemoryPool:
    """Carries out `ask` by `answering`, `count` at once as it says, and counts what is really in flight."""

    answering: Answering = nobody
    count: int = 2
    reports: Sequence[NodeReport] = ()
    digests: frozenset[str] = frozenset({"abc"})
    asked: list[tuple[Mapping[str, Any], Want]] = field(default_factory=list[tuple[Mapping[str, Any], Want]])
    in_flight: int = 0
    most_in_flight: int = 0

    def stream(self, path: str, payload: Mapping[str, Any], want: Want) -> AbstractAsyncContextManager[Reply]:
        """Not for these tests."""
        raise NotImplementedError(path)

    async def ask(self, path: str, payload: Mapping[str, Any], want: Want) -> tuple[JSON, Reply]:
        """What `answering` returns, or raises."""
        self.asked.append((payload, want))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            return await self.answering(payload), Given()
        finally:
            self.in_flight -= 1

    def places(self, model: str) -> int:
        """As the test says."""
        return self.count

    async def look(self) -> Sequence[NodeReport]:
        """As the test says."""
        return self.reports

    async def versions(self, model: str) -> frozenset[str]:
        """As the test says."""
        return self.digests
