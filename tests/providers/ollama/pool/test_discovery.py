from __future__ import annotations

import anyio
import pytest
from anyio.abc import SocketAttribute
from tests.providers.ollama.fake.faults import Fault
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.pool.conftest import Chat, OpenHub, ServeHub

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit_ollama.pool.discovery import candidates
from gleitzeit_ollama.pool.hub import OllamaHub
from gleitzeit_ollama.settings import OllamaSettings

pytestmark = pytest.mark.anyio


async def until_found(hub: OllamaHub, *nodes: FakeOllama) -> None:
    """Wait until a hub that is served has found these nodes, and no others, by itself."""
    with anyio.fail_after(5):
        while hub.places("tiny") < len(nodes):
            await anyio.wait_all_tasks_blocked()


async def free_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        return int(listener.extra(SocketAttribute.local_port))


def test_the_ports_of_this_machine_are_looked_at_where_nothing_is_configured() -> None:
    places = list(candidates(OllamaSettings()))
    assert [place.endpoint.shown for place in places] == [f"http://127.0.0.1:{port}" for port in range(11434, 11440)]
    assert all(place.discovered for place in places)


def test_a_port_whose_node_is_configured_is_not_discovered_again() -> None:
    settings = OllamaSettings.model_validate(
        {
            "endpoints": [{"url": "http://localhost:11434", "weight": 2, "max_parallel": 4}, "http://gpu:11435"],
            "discovery": {"ports": "11434-11435"},
        }
    )
    named, other, found = candidates(settings)
    assert (named.endpoint.shown, named.weight, named.max_parallel, named.discovered) == (
        "http://localhost:11434",
        2,
        4,
        False,
    )
    assert other.endpoint.shown == "http://gpu:11435"
    assert (found.endpoint.shown, found.discovered) == ("http://127.0.0.1:11435", True)


async def test_nodes_are_found_by_their_ports(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("small") as two:
        hub = open_hub(discovery={"ports": [one.port, two.port, await free_port()]})
        assert (await chat(hub)).reply.node == one.url
        assert [report.node for report in await hub.look()] == [one.url, two.url]


async def test_another_program_is_never_taken_for_a_node(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as stranger:
        # It even has a version and models, as an imitation would, but does not greet like one.
        stranger.fail(Fault("html", paths=["/"]))
        hub = open_hub(discovery={"ports": [stranger.port]}, max_retries=0)
        with pytest.raises(GleitzeitError, match="is not an Ollama") as caught:
            await chat(hub)
        assert isinstance(caught.value, ProviderUnavailableError)
        assert await hub.look() == []
        assert stranger.counters.requests["/api/version"] == 0
        assert stranger.counters.requests["/api/chat"] == 0


async def test_where_no_port_has_one_the_error_names_the_ports_and_how_to_start_it(
    open_hub: OpenHub, chat: Chat
) -> None:
    port = await free_port()
    with pytest.raises(ProviderUnavailableError) as caught:
        await chat(open_hub(discovery={"ports": [port]}))
    assert caught.value.message == f"no Ollama answers on port {port} of this machine"
    assert "`ollama serve`" in (caught.value.hint or "")
    assert caught.value.retryable


async def test_a_node_that_is_started_later_is_found(open_hub: OpenHub, serve_hub: ServeHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("tiny") as late:
        await late.down()
        hub = open_hub(discovery={"ports": [one.port, late.port]}, health_interval=0.01)
        await serve_hub(hub)
        await chat(hub)
        assert [report.node for report in await hub.look()] == [one.url]
        await late.up()
        await until_found(hub, one, late)


async def test_a_request_that_finds_no_node_looks_for_one_itself(open_hub: OpenHub, chat: Chat) -> None:
    async with FakeOllama("tiny") as late:
        await late.down()
        hub = open_hub(discovery={"ports": [late.port]}, max_retries=0)
        with pytest.raises(ProviderUnavailableError):
            await chat(hub)
        await late.up()
        assert (await chat(hub)).reply.node == late.url


async def test_a_node_that_goes_away_and_comes_back_is_used_again(
    open_hub: OpenHub, serve_hub: ServeHub, chat: Chat
) -> None:
    async with FakeOllama("tiny") as one, FakeOllama("tiny") as other:
        hub = open_hub(discovery={"ports": [one.port, other.port]}, health_interval=0.01)
        await serve_hub(hub)
        await chat(hub)
        await until_found(hub, one, other)
        await other.down()
        with anyio.fail_after(5):
            while hub.places("tiny") > 1:
                await anyio.wait_all_tasks_blocked()
        assert (await chat(hub)).reply.node == one.url
        await other.up()
        await until_found(hub, one, other)
