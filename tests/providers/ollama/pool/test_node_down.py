"""A node goes away in the middle of fifty calls."""

from __future__ import annotations

from collections import Counter

import anyio
import pytest
from tests.providers.ollama.fake.answer import Asked
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.pool.conftest import Chat, OpenHub, ServeHub

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError

pytestmark = pytest.mark.anyio

CALLS = 50


class Said:
    """Counts which prompts a pair of nodes has begun to answer."""

    def __init__(self) -> None:
        self.begun: Counter[str] = Counter()

    def __call__(self, asked: Asked) -> str:
        self.begun[asked.prompt] += 1
        return f"an answer to {asked.prompt}"


@pytest.mark.parametrize("after", [0, 2], ids=["before the first token", "after two tokens"])
async def test_all_calls_end_and_none_is_answered_twice(
    open_hub: OpenHub, serve_hub: ServeHub, chat: Chat, after: int
) -> None:
    said = Said()
    async with (
        FakeOllama("tiny", warm=["tiny"], num_parallel=4, answers=said) as stays,
        FakeOllama("tiny", warm=["tiny"], num_parallel=4, answers=said) as goes,
    ):
        hub = open_hub(endpoints=[{"url": node.url, "max_parallel": 4} for node in (stays, goes)], health_interval=0.05)
        await serve_hub(hub)
        await hub.look()
        goes.state.gate.hold(after=after)
        answers: dict[str, str] = {}
        lost: dict[str, GleitzeitError] = {}

        async def one(prompt: str) -> None:
            try:
                answers[prompt] = (await chat(hub, prompt)).text
            except ConnectionLostError as error:
                lost[prompt] = error

        async with anyio.create_task_group() as group:
            for number in range(CALLS):
                group.start_soon(one, f"call {number}")
            with anyio.fail_after(5):
                await goes.counters.until(lambda seen: seen.running == 4)
                await stays.counters.until(lambda seen: seen.answered >= 10)
            await goes.down()
    assert len(answers) + len(lost) == CALLS
    assert all(text == f"an answer to {prompt}" for prompt, text in answers.items())
    assert len(lost) == (4 if after else 0)
    assert all(error.ambiguous and said.begun[prompt] == 1 for prompt, error in lost.items())
    assert [report.in_flight for report in await hub.look()] == [{}, {}]
