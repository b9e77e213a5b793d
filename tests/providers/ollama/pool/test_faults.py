"""What is wrong with nodes, and what becomes of requests then."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute
from tests.providers.ollama.fake.faults import Fault, Kind
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.pool.conftest import Chat, OpenHub, failure

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    ProviderError,
    ProviderUnavailableError,
    ValidationError,
)
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.dispatch.base import Want

pytestmark = pytest.mark.anyio

LIMITS = {"timeout": 0.2, "load_timeout": 0.2}


async def closed_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        return int(listener.extra(SocketAttribute.local_port))


@pytest.mark.parametrize("kind", ["silent", "slow", "closed", "html", "stranger", "busy", "broken", "missing"])
async def test_a_node_that_fails_before_the_first_byte_is_replaced_by_another(
    open_hub: OpenHub, chat: Chat, kind: Kind
) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as bad, FakeOllama("tiny") as good:
        bad.fail(Fault(kind))
        hub = open_hub(bad, good, **LIMITS)
        await hub.look()
        said = await chat(hub)
        assert (said.text, said.reply.node, said.reply.tries) == ("You said: hi", good.url, 2)
        assert bad.counters.requests["/api/chat"] == 1


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("reset", ConnectionLostError),
        ("stall", TookTooLong),
        ("crash", ProviderError),
        ("no_done", ProviderError),
    ],
)
async def test_what_fails_after_the_first_byte_is_not_asked_again(
    open_hub: OpenHub, chat: Chat, kind: Kind, error: type[GleitzeitError]
) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as bad, FakeOllama("tiny") as other:
        bad.fail(Fault(kind))
        hub = open_hub(bad, other, timeout=0.2)
        await hub.look()
        caught = await failure(chat, hub)
        assert type(caught) is error
        assert caught.retryable
        assert bad.counters.requests["/api/chat"] == 1
        assert other.counters.requests["/api/chat"] == 0


@pytest.mark.parametrize(
    "more",
    [{"options": {"temperature": "hot"}}, {"tools": [{"type": "function", "function": {"name": "now"}}]}],
    ids=["option", "tools"],
)
async def test_a_request_that_is_wrong_is_wrong_everywhere(open_hub: OpenHub, chat: Chat, more: dict[str, Any]) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("tiny") as two:
        hub = open_hub(one, two)
        caught = await failure(chat, hub, **more)
        assert isinstance(caught, ValidationError)
        assert one.counters.requests["/api/chat"] + two.counters.requests["/api/chat"] == 1
        assert [report.state for report in await hub.look()] == ["healthy", "healthy"]


async def test_a_node_that_is_always_busy_is_asked_as_often_as_configured(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault("busy"))
        caught = await failure(chat, open_hub(node, max_retries=4))
        assert (caught.details["status"], caught.retryable) == (503, True)
        assert "server busy" in caught.message
        assert node.counters.requests["/api/chat"] == 5


async def test_a_node_that_is_busy_for_a_moment_is_asked_again(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault("busy", times=1))
        assert (await chat(open_hub(node))).reply.tries == 2


async def test_many_requests_to_a_node_that_is_always_busy_all_come_to_an_end(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault("busy"))
        hub = open_hub(node, max_retries=1)
        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(failure, chat, hub)
        assert (await hub.look())[0].in_flight == {}


async def test_a_node_that_fails_requests_gets_one_to_show_that_it_can_again(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub(node, max_retries=0)
        node.fail(Fault("broken"))
        for _ in range(3):
            await failure(chat, hub)
        assert [report.state for report in await hub.look()] == ["trial"]
        node.fail(None)
        node.state.gate.hold()
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(chat, hub)
            await node.counters.until(lambda seen: seen.in_flight == 1)
            await anyio.wait_all_tasks_blocked()
            assert node.counters.in_flight == 1
            node.state.gate.release()
        assert [report.state for report in await hub.look()] == ["healthy"]


async def test_a_model_that_no_node_has_is_named_with_those_there_are(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("small", "gemma3:270m") as two:
        caught = await failure(chat, open_hub(one, two), model="smal")
    assert isinstance(caught, ProviderError)
    assert not caught.retryable
    assert 'no node has the model "smal"' in caught.message
    assert f"{one.url} has tiny:latest" in caught.message
    assert f"{two.url} has gemma3:270m, small:latest" in caught.message
    assert caught.hint == 'did you mean "small"? Else run `ollama pull smal` there'
    assert caught.details["installed"] == ["gemma3:270m", "small:latest", "tiny:latest"]


async def test_a_single_node_without_models_says_so(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama() as node:
        caught = await failure(chat, open_hub(node))
    assert caught.message == f'the Ollama at {node.url} has no model "tiny"; it has no models'


async def test_a_node_that_lost_a_model_is_looked_at_again_and_another_one_asked(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as one, FakeOllama("tiny") as two:
        hub = open_hub(one, two, max_retries=0)
        assert (await chat(hub)).reply.node == one.url
        one.remove("tiny")
        assert (await chat(hub)).reply.node == two.url
        two.remove("tiny")
        assert 'no node has the model "tiny"' in (await failure(chat, hub)).message
        two.install("tiny")
        assert (await chat(hub)).reply.node == two.url


async def test_a_node_that_lists_a_model_and_has_it_not_is_quoted(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault("missing"))
        caught = await failure(chat, open_hub(node, max_retries=2))
        assert "model 'tiny' not found" in caught.message
        assert node.counters.requests["/api/chat"] == 3


async def test_another_program_on_the_port_is_never_used(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as stranger, FakeOllama("tiny") as node:
        stranger.fail(Fault("html", paths=None))
        hub = open_hub(stranger, node)
        for _ in range(3):
            assert (await chat(hub)).reply.node == node.url
        assert stranger.counters.requests["/api/chat"] == 0
        report = (await hub.look())[0]
        assert "is not an Ollama" in (report.error or "")
        assert "ollama serve" not in str(report.hint)


async def test_where_only_another_program_listens_the_error_says_so(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as stranger:
        stranger.fail(Fault("stranger", paths=None))
        caught = await failure(chat, open_hub(stranger))
    assert f"what answers at {stranger.url} is not an Ollama" in caught.message
    assert not caught.retryable
    assert stranger.counters.requests["/api/chat"] == 0


async def test_where_nothing_listens_the_error_says_how_to_start_ollama(open_hub: OpenHub, chat: Chat) -> None:
    url = f"http://127.0.0.1:{await closed_port()}"
    caught = await failure(chat, open_hub(url))
    assert isinstance(caught, ProviderUnavailableError)
    assert caught.retryable
    assert caught.message == f"no Ollama answers at {url}: connection refused"
    assert "`ollama serve`" in (caught.hint or "")


async def test_of_several_nodes_the_error_says_what_is_wrong_with_each(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as silent:
        silent.fail(Fault("closed", paths=None))
        url = f"http://127.0.0.1:{await closed_port()}"
        caught = await failure(chat, open_hub(url, silent.url.replace("//", "//me:secret@"), max_retries=0))
    assert isinstance(caught, ProviderUnavailableError)
    assert f"{url}: connection refused" in caught.message
    assert silent.url in caught.message
    assert "secret" not in f"{caught.message} {caught.details}"


async def test_a_host_that_does_not_exist_does_no_harm_to_the_others(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub("http://nowhere.invalid:11434", node)
        assert (await chat(hub)).reply.node == node.url
        assert "nowhere.invalid" in ((await hub.look())[0].error or "")


async def test_a_model_that_only_a_node_has_that_is_down_is_worth_another_try(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("small") as two:
        hub = open_hub(one, two, max_retries=0)
        await hub.look()
        await one.down()
        await hub.look()
        caught = await failure(chat, hub)
        assert isinstance(caught, ProviderUnavailableError)
        assert 'no node that has the model "tiny" can be asked now' in caught.message
        assert one.url in caught.message


async def test_a_model_that_may_be_on_a_node_that_was_never_reached_is_worth_another_try(
    open_hub: OpenHub, chat: Chat
) -> None:
    async with FakeOllama("small") as node:
        caught = await failure(chat, open_hub(node, f"http://127.0.0.1:{await closed_port()}"), model="tiny")
    assert f'the Ollama at {node.url} has no model "tiny"; it has small:latest' in caught.message
    assert "connection refused" in caught.message
    assert caught.retryable


async def test_a_node_that_comes_back_is_used_again(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as node:
        hub = open_hub(node, max_retries=0)
        await chat(hub)
        await node.down()
        await failure(chat, hub)
        assert isinstance(await failure(chat, hub), ProviderUnavailableError)
        await node.up()
        assert (await chat(hub)).text == "You said: hi"


async def test_who_waits_for_a_node_that_goes_away_is_told(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, max_connections=1, max_retries=1)
        await hub.look()
        node.state.gate.hold()
        caught: list[GleitzeitError] = []

        async def one() -> None:
            caught.append(await failure(chat, hub))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
            await node.counters.until(lambda seen: seen.running == 1)
            await anyio.wait_all_tasks_blocked()
            await node.down()
    assert len(caught) == 5
    assert all(isinstance(error, ProviderUnavailableError | ConnectionLostError) for error in caught)


async def test_a_text_that_cannot_be_embedded_does_not_put_a_node_out_of_service(open_hub: OpenHub) -> None:
    async with FakeOllama("tiny", warm=["tiny"]) as node:
        hub = open_hub(node, max_retries=0)
        node.fail(Fault("broken", times=4))
        for _ in range(4):
            with pytest.raises(ProviderError) as caught:
                await hub.ask("/api/embed", {"model": "tiny", "input": ["bad"]}, Want("tiny:latest"))
            assert caught.value.details["status"] == 500
        await hub.ask("/api/embed", {"model": "tiny", "input": ["good"]}, Want("tiny:latest"))
        assert [report.state for report in await hub.look()] == ["healthy"]
