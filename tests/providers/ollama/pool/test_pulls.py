from __future__ import annotations

import anyio
import pytest
from tests.providers.ollama.fake.faults import Fault
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.pool.conftest import Chat, OpenHub

from gleitzeit.core.errors import GleitzeitError, ProviderError
from gleitzeit.providers.base import TaskContext

pytestmark = pytest.mark.anyio

Report = tuple[float | None, float | None, str | None]


async def test_a_missing_model_is_fetched_where_that_is_allowed(
    open_hub: OpenHub, chat: Chat, task: TaskContext, reports: list[Report]
) -> None:
    async with FakeOllama("small", pullable=["tiny"]) as node:
        assert (await chat(open_hub(node, pull_missing=True))).text == "You said: hi"
        assert node.counters.requests["/api/pull"] == 1
    assert any("fetching tiny" in (message or "") for _, _, message in reports)


async def test_many_that_need_it_fetch_it_once(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("small", pullable=["tiny"]) as node:
        hub = open_hub(node, pull_missing=True)
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(chat, hub)
        assert node.counters.requests["/api/pull"] == 1
        assert node.counters.answered == 10


async def test_it_is_fetched_by_the_node_of_the_greatest_weight(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("small", pullable=["tiny"]) as weak, FakeOllama("small", pullable=["tiny"]) as strong:
        hub = open_hub(endpoints=[{"url": weak.url}, {"url": strong.url, "weight": 4}], pull_missing=True)
        await hub.look()
        assert (await chat(hub)).reply.node == strong.url
        assert weak.counters.requests["/api/pull"] == 0


async def test_a_model_that_cannot_be_had_fails_once_for_all_who_need_it(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("small") as node:
        hub = open_hub(node, pull_missing=True)
        caught: list[GleitzeitError] = []

        async def one() -> None:
            with pytest.raises(ProviderError) as raised:
                await chat(hub)
            caught.append(raised.value)

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
        assert node.counters.requests["/api/pull"] == 1
    assert len({id(error) for error in caught}) == 5
    assert all(f'{node.url} could not fetch the model "tiny"' in error.message for error in caught)
    assert not caught[0].retryable


async def test_without_leave_nothing_is_fetched(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("small", pullable=["tiny"]) as node:
        with pytest.raises(ProviderError, match='has no model "tiny"'):
            await chat(open_hub(node))
        assert node.counters.requests["/api/pull"] == 0


async def test_a_model_that_does_not_show_up_after_it_was_fetched_is_not_fetched_again(
    open_hub: OpenHub, chat: Chat
) -> None:
    async with FakeOllama("small", pullable=["tiny"]) as node:
        node.fail(Fault("html", paths=["/api/pull"]))
        with pytest.raises(ProviderError, match="is not an Ollama"):
            await chat(open_hub(node, pull_missing=True))
        node.fail(None)
        hub = open_hub(node, pull_missing=True)
        async with anyio.create_task_group() as group:
            group.start_soon(_remove_whenever_fetched, node)
            with pytest.raises(ProviderError, match='has no model "tiny"'):
                await chat(hub)
            group.cancel_scope.cancel()
        assert node.counters.requests["/api/pull"] == 2


async def _remove_whenever_fetched(node: FakeOllama) -> None:
    while True:
        await node.counters.until(lambda _: "tiny:latest" in node.state.models)
        node.remove("tiny")
