"""What a node says may be wrong: the pool goes on with what it sees for itself."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from tests.providers.ollama.pool.conftest import Chat, OpenHub, ServeHub, failure
from tests.providers.ollama.wire.http_bytes import Serve, whole

from gleitzeit_ollama.pool.hub import OllamaHub

pytestmark = pytest.mark.anyio

HAS_TINY = b'{"models":[{"name":"tiny:latest","digest":"d"}]}'
NOTHING = b'{"models":[]}'
VERSION = b'{"version":"0.5.4"}'
NO_SUCH_MODEL = b'{"error":"model \'tiny\' not found"}'


class Liar:
    """A server whose answers are the test's: bytes, or what a function gives each time."""

    def __init__(self, **answers: bytes | Callable[[], Awaitable[bytes]]) -> None:
        self.answers = {"version": VERSION, "tags": HAS_TINY, "ps": NOTHING, **answers}
        self.asked: list[str] = []

    async def __call__(self, path: str, body: dict[str, Any], stream: SocketStream) -> None:
        """Answer one request."""
        name = path.removeprefix("/api/")
        self.asked.append(name)
        answer = self.answers[name]
        sent = answer if isinstance(answer, bytes) else await answer()
        await stream.send(sent if sent.startswith(b"HTTP/") else whole("200 OK", sent))


def done(**more: Any) -> bytes:
    """An answer of one object."""
    return json.dumps({"message": {"content": "hi"}, "done": True, **more}).encode() + b"\n"


async def in_flight(hub: OllamaHub) -> dict[str, int]:
    """What the only node is busy with."""
    [report] = await hub.look()
    return report.in_flight


@pytest.mark.parametrize("number", [-(10**18), 10**30, 10**400, 1e300, True])
async def test_no_node_makes_itself_faster_or_slower_by_what_it_says(
    open_hub: OpenHub, chat: Chat, serve: Serve, number: float
) -> None:
    liar = Liar(chat=done(load_duration=number, prompt_eval_duration=number))
    hub = open_hub(await serve(liar))
    assert (await chat(hub)).text == "hi"
    [report] = await hub.look()
    assert report.in_flight == {}
    assert 0 <= report.service_seconds["tiny:latest"] < 20


async def test_a_number_that_is_none_ends_no_watch(
    open_hub: OpenHub, serve_hub: ServeHub, chat: Chat, serve: Serve
) -> None:
    liar = Liar(tags=b'{"models":[{"name":"tiny:latest","size":1e999}]}', chat=done())
    hub = open_hub(await serve(liar), health_interval=0.01, max_retries=0)
    await serve_hub(hub)
    assert "is not an Ollama" in (await failure(chat, hub)).message
    liar.answers["tags"] = HAS_TINY
    assert (await chat(hub)).text == "hi"


async def test_a_model_that_comes_and_goes_is_not_asked_for_endlessly(
    open_hub: OpenHub, chat: Chat, serve: Serve
) -> None:
    liar = Liar(chat=whole("404 Not Found", NO_SUCH_MODEL))

    async def now_and_then() -> bytes:
        return HAS_TINY if liar.asked.count("tags") % 2 else NOTHING

    liar.answers["tags"] = now_and_then
    hub = open_hub(await serve(liar))
    assert (await failure(chat, hub)).details["status"] == 404
    assert liar.asked.count("chat") < 10
    assert await in_flight(hub) == {}


async def test_a_look_that_was_given_up_tells_nobody_anything(open_hub: OpenHub, serve: Serve) -> None:
    first, second = anyio.Event(), anyio.Event()

    async def tags() -> bytes:
        count = liar.asked.count("tags")
        if count == 1:
            await first.wait()
            return NOTHING
        if count == 2:
            second.set()
            await anyio.sleep_forever()
        return HAS_TINY

    liar = Liar(tags=tags)
    hub = open_hub(await serve(liar))
    versions: list[frozenset[str]] = []

    async def compare() -> None:
        versions.append(await hub.versions("tiny"))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group, anyio.create_task_group() as leaving:
            leaving.start_soon(hub.look)
            await anyio.wait_all_tasks_blocked()
            leaving.start_soon(hub.versions, "tiny")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(compare)
            await anyio.wait_all_tasks_blocked()
            first.set()
            await second.wait()
            leaving.cancel_scope.cancel()
    assert versions == [{"d"}]


async def test_an_error_names_no_more_models_than_anyone_reads(open_hub: OpenHub, chat: Chat, serve: Serve) -> None:
    models = [{"name": f"model{number}:latest"} for number in range(5_000)]
    caught = await failure(chat, open_hub(await serve(Liar(tags=json.dumps({"models": models}).encode()))))
    assert "and 4950 more" in caught.message
    assert len(caught.message) + len(str(caught.details)) < 5_000
