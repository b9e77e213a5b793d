"""The same with two real servers, of which the way to one is cut."""

from __future__ import annotations

import anyio
import pytest
from tests.providers.ollama.pool.conftest import Chat, OpenHub, ServeHub
from tests.providers.ollama.pool.relay import Relay

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError

pytestmark = [pytest.mark.ollama, pytest.mark.anyio]

CALLS = 50
MODEL = "smollm2:135m"
SHORT = {"temperature": 0, "num_predict": 2}


async def test_all_calls_end_and_none_is_answered_twice(
    open_hub: OpenHub, serve_hub: ServeHub, chat: Chat, ollamas: list[str]
) -> None:
    stays, goes = (Relay(url) for url in ollamas)
    async with stays.opened() as one, goes.opened() as other:
        hub = open_hub(one, other)
        await serve_hub(hub)
        done: set[str] = set()
        lost: dict[str, GleitzeitError] = {}

        async def call(name: str) -> None:
            try:
                await chat(hub, name, model=MODEL, options=SHORT)
                done.add(name)
            except ConnectionLostError as error:
                lost[name] = error

        async with anyio.create_task_group() as group:
            for number in range(CALLS):
                group.start_soon(call, f"call {number}")
            await goes.until_begun(5)
            goes.cut()
        assert len(done) + len(lost) == CALLS
        assert len(lost) <= 2  # what was in the middle of its answer
        begun = stays.begun + goes.begun
        assert all(begun[name] == 1 for name in [*done, *lost])
        assert all(goes.begun[name] and error.ambiguous for name, error in lost.items())
        assert [report.in_flight for report in await hub.look()] == [{}, {}]
