from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.faults import Fault
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.pool.conftest import Chat, OpenHub, Said, ServeHub, failure

from gleitzeit.core.errors import LimitError, ProviderUnavailableError
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.base import NodeReport
from gleitzeit_ollama.pool.hub import OllamaHub

pytestmark = pytest.mark.anyio


async def report_of(hub: OllamaHub, node: FakeOllama) -> NodeReport:
    """How one node stands, looked at now."""
    return next(report for report in await hub.look() if report.node == node.url)


async def test_an_answer_tells_who_gave_it(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", "small", warm=["small"]) as node:
        hub = open_hub(node)
        first, second = await chat(hub, "hello"), await chat(hub, model="small:latest")
    assert first.text == "You said: hello"
    assert (first.reply.node, first.reply.cold, first.reply.tries) == (node.url, True, 1)
    assert 0 < first.reply.waited < 5
    assert not second.reply.cold


async def test_an_answer_of_one_object_is_asked_for_in_the_same_way(open_hub: OpenHub) -> None:
    async with FakeOllama("tiny") as node:
        answer, reply = await open_hub(node).ask("/api/embed", {"model": "tiny", "input": "hi"}, Want("tiny:latest"))
    assert len(answer["embeddings"][0]) == 8
    assert reply.node == node.url
    assert [value async for value in reply] == [answer]


async def test_a_request_goes_to_the_node_that_has_its_model(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("small") as other:
        hub = open_hub(one, other)
        assert (await chat(hub, model="small")).reply.node == other.url
        assert (await chat(hub, model="tiny:latest")).reply.node == one.url


async def test_requests_at_the_same_time_are_spread_over_the_nodes(open_hub: OpenHub, chat: Chat) -> None:
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(FakeOllama("tiny", warm=["tiny"])) for _ in range(3)]
        hub = open_hub(*nodes)
        await hub.look()
        for node in nodes:
            node.state.gate.hold()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(chat, hub)
            with anyio.fail_after(5):
                for node in nodes:
                    await node.counters.until(lambda seen: seen.running == 1)
            for node in nodes:
                node.state.gate.release()


async def test_the_first_request_waits_for_the_first_node_that_shows_up_and_for_no_other(
    open_hub: OpenHub, chat: Chat
) -> None:
    async with FakeOllama("tiny") as dead, FakeOllama("tiny") as node:
        dead.fail(Fault("silent", paths=None))
        with anyio.fail_after(2):
            assert (await chat(open_hub(dead, node))).reply.node == node.url


async def test_leaving_early_stops_the_model_and_frees_its_place(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub(node)
        node.state.gate.hold(after=1)
        payload = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}]}
        async with hub.stream("/api/chat", payload, Want("tiny:latest")) as reply:
            await anext(aiter(reply))
            assert (await report_of(hub, node)).in_flight == {"tiny:latest": 1}
        with anyio.fail_after(2):
            await node.counters.until(lambda seen: seen.cancelled == 1 and seen.running == 0)
        assert (await report_of(hub, node)).in_flight == {}
        node.state.gate.release()
        assert (await chat(hub)).text == "You said: hi"


@pytest.mark.parametrize("after", [0, 1], ids=["before the first token", "in the middle"])
async def test_cancelling_stops_the_model_and_frees_its_place(open_hub: OpenHub, chat: Chat, after: int) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub(node)
        node.state.gate.hold(after=after)
        async with anyio.create_task_group() as group:
            group.start_soon(chat, hub)
            await node.counters.until(lambda seen: seen.running == 1)
            group.cancel_scope.cancel()
        with anyio.fail_after(2):
            await node.counters.until(lambda seen: seen.cancelled == 1 and seen.running == 0)
        assert (await report_of(hub, node)).in_flight == {}


async def test_who_waits_may_leave(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, max_connections=1)
        await hub.look()
        node.state.gate.hold()
        said: list[Said] = []

        async def one() -> None:
            said.append(await chat(hub))

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            await node.counters.until(lambda seen: seen.running == 1)
            async with anyio.create_task_group() as leaving:
                for _ in range(5):
                    leaving.start_soon(chat, hub)
                await anyio.wait_all_tasks_blocked()
                leaving.cancel_scope.cancel()
            group.start_soon(one)
            node.state.gate.release()
        assert len(said) == 2
        assert node.counters.requests["/api/chat"] == 2


async def test_more_than_may_wait_are_refused_with_how_long_it_takes(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, max_connections=1, max_queue=2)
        await hub.look()
        node.state.gate.hold()
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(chat, hub)
            await node.counters.until(lambda seen: seen.running == 1)
            caught = await failure(chat, hub)
            assert isinstance(caught, LimitError)
            assert caught.retryable
            assert caught.details["retry_after"] > 0
            node.state.gate.release()


async def test_closing_ends_what_waits_and_what_is_being_answered(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, max_connections=1)
        await hub.look()
        node.state.gate.hold()
        said: list[str] = []

        async def one() -> None:
            caught = await failure(chat, hub)
            assert isinstance(caught, ProviderUnavailableError)
            said.append(caught.message)

        async with anyio.create_task_group() as group:
            group.start_soon(one)
            group.start_soon(one)
            await node.counters.until(lambda seen: seen.running == 1)
            await anyio.wait_all_tasks_blocked()
            await hub.aclose()
    assert ["shutting down" in message for message in said] == [True, True]


async def test_a_report_tells_what_is_where(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", "small", version="0.33.0") as node, FakeOllama() as gone:
        hub = open_hub(node, gone, health_interval=60)
        await gone.down()
        await chat(hub)
        report, other = await hub.look()
    assert (report.node, report.state, report.version, report.error) == (node.url, "healthy", "0.33.0", None)
    assert report.service_seconds["tiny:latest"] > 0
    models: dict[str, dict[str, Any]] = {model["name"]: model for model in report.models}
    assert models["small:latest"]["loaded"] is False
    assert models["small:latest"]["size"] == 98_363_007
    assert models["tiny:latest"]["loaded"] is True
    assert models["tiny:latest"]["context_length"] == 4096
    assert models["tiny:latest"]["family"] == "llama"
    assert other.state == "down"
    assert "connection refused" in (other.error or "")


async def test_no_report_shows_a_password(open_hub: OpenHub) -> None:
    async with FakeOllama("tiny") as node:
        reports = await open_hub(node.url.replace("http://", "http://me:secret@")).look()
    assert "secret" not in str(reports)
    assert reports[0].node == node.url


async def test_versions_are_the_digests_of_a_model_on_all_nodes(open_hub: OpenHub) -> None:
    old, new = FakeModel("tiny:latest"), FakeModel("tiny:latest", revision=2)
    async with FakeOllama(old) as one, FakeOllama(new) as two, FakeOllama(new) as three:
        hub = open_hub(one, two, three)
        assert await hub.versions("tiny") == {old.digest, new.digest}
        assert await hub.versions("small") == frozenset()


async def test_a_model_that_was_pulled_anew_is_another_version_at_once(open_hub: OpenHub) -> None:
    old, new = FakeModel("tiny:latest"), FakeModel("tiny:latest", revision=2)
    async with FakeOllama(old) as node:
        hub = open_hub(node)
        assert await hub.versions("tiny") == {old.digest}
        node.install(new)
        assert await hub.versions("tiny") == {new.digest}


async def test_places_are_those_of_all_nodes(open_hub: OpenHub) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("tiny") as two:
        hub = OllamaHub({"endpoints": [{"url": one.url, "max_parallel": 3}, {"url": two.url, "max_parallel": 2}]})
        assert hub.places("tiny") == 1
        await hub.look()
        assert hub.places("tiny") == 5
        await hub.aclose()


async def test_a_model_that_is_not_kept_is_known_to_be_gone(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub(node)
        assert (await chat(hub)).reply.cold
        assert not (await chat(hub, keep_alive=0)).reply.cold
        assert (await chat(hub)).reply.cold


async def test_a_model_that_is_loading_after_all_gets_the_time_for_it(
    open_hub: OpenHub, serve_hub: ServeHub, chat: Chat
) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, timeout=0.15, load_timeout=10, health_interval=0.02)
        await serve_hub(hub)
        await chat(hub)
        node.state.runners.unload("tiny:latest")
        node.fail(Fault("silent", times=1))
        async with anyio.create_task_group() as group:
            group.start_soon(chat, hub)
            await node.counters.until(lambda seen: seen.in_flight == 1)
            with anyio.move_on_after(0.4):
                await node.counters.until(lambda seen: seen.in_flight == 0)
            assert node.counters.in_flight == 1
            group.cancel_scope.cancel()


async def test_who_comes_while_a_model_is_being_loaded_gets_the_time_for_it_too(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", num_parallel=4, load_seconds=0.3) as node:
        hub = open_hub(endpoints=[{"url": node.url, "max_parallel": 4}], timeout=0.1, load_timeout=10, max_retries=0)
        await hub.look()
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(chat, hub)
        assert node.counters.answered == 4


async def test_a_pool_that_nobody_uses_knocks_at_no_port(open_hub: OpenHub, serve_hub: ServeHub) -> None:
    async with FakeOllama("tiny") as node:
        await serve_hub(open_hub(node, health_interval=0.01))
        await anyio.wait_all_tasks_blocked()
        assert node.counters.connections == 0
