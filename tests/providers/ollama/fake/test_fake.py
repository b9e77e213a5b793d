"""The fake behaves as the reference says that Ollama does, also where no real one of this version is at hand."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx2
import pytest
from tests.providers.ollama.fake.answer import Answer
from tests.providers.ollama.fake.faults import Fault, Kind
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.fake.process import fake_node

pytestmark = pytest.mark.anyio

Ask = Callable[..., Coroutine[Any, Any, httpx2.Response]]

ABLE = FakeModel("able", frozenset({"completion", "tools", "thinking"}))


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=5, trust_env=False, verify=False) as client:
        yield client


@pytest.fixture
def ask(client: httpx2.AsyncClient) -> Ask:
    """Asks a node for an answer of `/api/generate`, not streamed."""

    async def call(node: FakeOllama, model: str = "tiny", **body: Any) -> httpx2.Response:
        return await client.post(
            f"{node.url}/api/generate", json={"model": model, "prompt": "hi", "stream": False, **body}
        )

    return call


def lines(answer: httpx2.Response) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.text.splitlines()]


async def test_requests_for_a_loaded_model_wait_without_bound(ask: Ask) -> None:
    async with (
        FakeOllama("tiny", warm=["tiny"], num_parallel=2, max_queue=1) as node,
        anyio.create_task_group() as group,
    ):
        node.state.gate.hold()
        for _ in range(8):
            group.start_soon(ask, node)
        await node.counters.until(lambda seen: seen.in_flight == 8 and seen.running == 2)
        node.state.gate.release()
    assert (node.counters.answered, node.counters.peak, dict(node.counters.loads)) == (8, 8, {})


async def test_requests_that_need_a_load_are_refused_beyond_the_queue(ask: Ask) -> None:
    async with FakeOllama("a", "b", max_queue=2, max_loaded=1, load_seconds=0.01) as node:
        statuses: list[int] = []

        async def one(model: str) -> None:
            statuses.append((await ask(node, model)).status_code)

        async with anyio.create_task_group() as group:
            for model in "abababab":
                group.start_soon(one, model)
    assert max(statuses) == 503
    assert 200 in statuses


async def test_a_model_in_use_is_not_evicted_and_an_idle_one_is(ask: Ask) -> None:
    async with FakeOllama("a", "b", max_loaded=1) as node:
        node.state.gate.hold()
        async with anyio.create_task_group() as group:
            group.start_soon(ask, node, "a")
            await node.counters.until(lambda seen: seen.running == 1)
            group.start_soon(ask, node, "b")
            await node.counters.until(lambda seen: seen.in_flight == 2)
            await anyio.wait_all_tasks_blocked()
            assert dict(node.counters.loads) == {"a:latest": 1}
            node.state.gate.release()
        assert dict(node.counters.loads) == {"a:latest": 1, "b:latest": 1}
        assert [runner.model.name for runner in node.state.runners.loaded()] == ["b:latest"]


async def test_other_load_options_load_a_model_again_and_sampling_options_do_not(ask: Ask) -> None:
    async with FakeOllama("tiny") as node:
        for options in ({}, {"temperature": 1}, {"num_ctx": 512}, {"num_ctx": 512, "seed": 1}, {}):
            await ask(node, options=options)
        assert node.counters.loads["tiny:latest"] == 3


async def test_a_model_goes_once_it_was_kept_long_enough(ask: Ask, client: httpx2.AsyncClient) -> None:
    async with FakeOllama("tiny") as node:
        await ask(node)
        assert len((await client.get(f"{node.url}/api/ps")).json()["models"]) == 1
        await ask(node, keep_alive=0)
        assert (await client.get(f"{node.url}/api/ps")).json()["models"] == []
        await ask(node, keep_alive="0s")
        assert (await client.get(f"{node.url}/api/ps")).json()["models"] == []


async def test_hanging_up_stops_the_model(ask: Ask) -> None:
    async with FakeOllama("tiny") as node:
        node.state.gate.hold(after=1)
        async with anyio.create_task_group() as group:
            group.start_soon(ask, node)
            await node.counters.until(lambda seen: seen.running == 1)
            group.cancel_scope.cancel()
        await node.counters.until(lambda seen: seen.running == 0)
        assert (node.counters.cancelled, node.counters.answered) == (1, 0)


async def test_a_new_node_says_model_not_found_in_new_words(ask: Ask) -> None:
    async with FakeOllama(ABLE, version="0.33.0") as node:
        answer = await ask(node, "nope")
    assert (answer.status_code, answer.json()) == (404, {"error": "model 'nope' not found"})


async def test_a_new_node_thinks_where_the_model_can(ask: Ask) -> None:
    async with FakeOllama(ABLE, "tiny", version="0.33.0") as node:
        assert (await ask(node, "able")).json()["thinking"] == "Let me see."
        assert "thinking" not in (await ask(node, "able", think=False)).json()
        refused = await ask(node, "tiny", think=True)
    assert (refused.status_code, refused.json()["error"]) == (400, '"tiny" does not support thinking')


async def test_a_new_node_tells_logprobs_and_an_old_one_ignores_the_wish(ask: Ask) -> None:
    for version, told in (("0.33.0", 3), ("0.5.4", 0)):
        async with FakeOllama("tiny", version=version) as node:
            answer = (await ask(node, logprobs=True, top_logprobs=2)).json()
        assert len(answer.get("logprobs", [])) == told


async def test_a_new_node_cuts_vectors_to_the_dimensions(client: httpx2.AsyncClient) -> None:
    for version, width in (("0.33.0", 3), ("0.5.4", 8)):
        async with FakeOllama("tiny", version=version) as node:
            body = {"model": "tiny", "input": ["a", "b"], "dimensions": 3}
            vectors = (await client.post(f"{node.url}/api/embed", json=body)).json()["embeddings"]
        assert [len(vector) for vector in vectors] == [width, width]
        assert math.isclose(math.hypot(*vectors[0]), 1)


async def test_tool_calls_come_in_one_line_when_the_text_is_known(client: httpx2.AsyncClient) -> None:
    call = {"name": "now", "arguments": {"zone": "UTC"}}
    for version, fields in (("0.33.0", ["id", "function"]), ("0.5.4", ["function"])):
        async with FakeOllama(ABLE, version=version, answers=lambda _: Answer(tool_calls=[call])) as node:
            body = {"model": "able", "messages": [{"content": "?"}], "tools": [{"type": "function"}]}
            told = lines(await client.post(f"{node.url}/api/chat", json=body))
        assert [list(found) for found in told[0]["message"]["tool_calls"]] == [fields]
        assert [line["done"] for line in told] == [False, True]


async def test_a_pull_tells_how_far_it_is_and_then_the_model_is_there(client: httpx2.AsyncClient, ask: Ask) -> None:
    async with FakeOllama(pullable=["tiny"]) as node:
        assert (await ask(node)).status_code == 404
        told = lines(await client.post(f"{node.url}/api/pull", json={"model": "tiny"}))
        assert [line["status"].split()[0] for line in told] == ["pulling"] * 5 + ["verifying", "writing", "success"]
        assert told[4]["completed"] == told[4]["total"]
        assert (await ask(node)).status_code == 200
        told = lines(await client.post(f"{node.url}/api/pull", json={"model": "nope"}))
    assert told[-1] == {"error": "pull model manifest: file does not exist"}


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        ("silent", httpx2.ReadTimeout),
        ("slow", httpx2.ReadTimeout),
        ("closed", httpx2.RemoteProtocolError),
        ("reset", httpx2.ReadError),
        ("stall", httpx2.ReadTimeout),
    ],
)
async def test_faults_of_the_connection(client: httpx2.AsyncClient, kind: Kind, raised: type[Exception]) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault(kind))
        with pytest.raises(raised):
            await client.post(f"{node.url}/api/generate", json={"model": "tiny", "prompt": "hi"}, timeout=0.05)


@pytest.mark.parametrize(
    ("kind", "status", "end"),
    [
        ("html", 200, "</html>"),
        ("stranger", 404, "</html>"),
        ("busy", 503, '"server busy, please try again.  maximum pending requests exceeded"}'),
        ("broken", 500, 'unexpected EOF"}'),
        ("missing", 404, 'not found"}'),
        ("crash", 200, 'unexpected EOF"}\n'),
        ("no_done", 200, '"done":false}\n'),
    ],
)
async def test_faults_of_the_answer(client: httpx2.AsyncClient, kind: Kind, status: int, end: str) -> None:
    async with FakeOllama("tiny") as node:
        node.fail(Fault(kind, times=1))
        body = {"model": "tiny", "prompt": "hi"}
        answer = await client.post(f"{node.url}/api/generate", json=body)
        assert (answer.status_code, answer.text[-len(end) :]) == (status, end)
        assert lines(await client.post(f"{node.url}/api/generate", json=body))[-1]["done"] is True


async def test_a_node_that_went_down_refuses_and_may_come_up_again(ask: Ask) -> None:
    async with FakeOllama("tiny") as node:
        await node.down()
        with pytest.raises(httpx2.ConnectError):
            await ask(node)
        await node.up()
        assert (await ask(node)).status_code == 200


async def test_a_node_in_a_process_of_its_own_tells_what_it_has_seen(client: httpx2.AsyncClient) -> None:
    with fake_node("--model", "tiny", "--warm", "tiny") as node:
        answer = await client.post(f"{node.url}/api/generate", json={"model": "tiny", "prompt": "hi"})
        assert lines(answer)[-1]["done"] is True
        assert node.counters()["answered"] == 1


@pytest.mark.parametrize("steps", range(6))
async def test_no_connection_outlives_a_node_that_goes_down(steps: int) -> None:
    async with FakeOllama("tiny") as node:
        with socket.create_connection(("127.0.0.1", node.port)) as client:
            for _ in range(steps):
                await anyio.lowlevel.checkpoint()
            await node.down()
            client.settimeout(5)
            assert await anyio.to_thread.run_sync(_is_broken, client)


def _is_broken(client: socket.socket) -> bool:
    try:
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        return client.recv(1) == b""
    except ConnectionError:
        return True
