"""What one caller may ask for at once, and how the others fare meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any

import anyio
import httpx2
import pytest

Guarding = Callable[..., AbstractAsyncContextManager[Any]]

pytestmark = pytest.mark.anyio

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
OPENING = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
ACCEPT = {"Accept": "application/json, text/event-stream"}
HANGS = {"tasks": [{"id": "a", "method": "probe/sleep"}]}


async def test_more_requests_than_a_minute_has_are_told_when_to_come_again(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded(limits__caller_rate=5) as server, server.http("alice") as alice, server.http("bob") as bob:
            answers = [await alice.get("/nothing") for _ in range(7)]
            other = await bob.get("/nothing")
            health = [await alice.get("/healthz") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [404] * 5 + [429] * 2
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 12
    assert "limits.caller_rate" in answers[-1].text
    assert other.status_code == 404
    assert {answer.status_code for answer in health} == {200}


async def test_streams_count_among_the_requests_at_once_and_are_given_back(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded(limits__caller_requests=3) as server, server.http("alice") as alice:
            async with AsyncExitStack() as streams:
                for _ in range(3):
                    stream = await streams.enter_async_context(alice.stream("GET", "/sse"))
                    assert stream.status_code == 200
                refused = await alice.get("/nothing")
                async with server.http("bob") as bob:
                    other = await bob.get("/nothing")
            async with server.http("alice") as again:
                freed = await until(again, 404)
    assert refused.status_code == 429
    assert "limits.caller_requests" in refused.text
    assert other.status_code == freed == 404


async def until(client: httpx2.AsyncClient, status: int) -> int:
    """The status of an answer, asked for until it is the one: a server hears late that a client has left."""
    while (answer := await client.get("/nothing")).status_code != status:
        await anyio.lowlevel.checkpoint()
    return answer.status_code


async def test_sessions_are_counted_for_each_caller(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded(limits__caller_sessions=2) as server, server.http("alice") as alice:
            opened = [await alice.post("/mcp", json=OPENING, headers=ACCEPT) for _ in range(3)]
            async with server.http("bob") as bob:
                other = await bob.post("/mcp", json=OPENING, headers=ACCEPT)
            ended = {**ACCEPT, "Mcp-Session-Id": opened[0].headers["Mcp-Session-Id"]}
            await alice.request("DELETE", "/mcp", headers=ended)
            again = await alice.post("/mcp", json=OPENING, headers=ACCEPT)
    assert [answer.status_code for answer in (*opened, other, again)] == [200, 200, 503, 200, 200]


async def test_no_caller_takes_up_all_open_runs(guarded: Guarding) -> None:
    async def submit(client: Any) -> dict[str, Any]:
        result = await client.call_tool("submit_workflow", {"workflow": HANGS, "wait_seconds": 0})
        return dict(result.structured_content)

    with anyio.fail_after(30):
        async with (
            guarded(limits__open_runs=8) as server,
            server.client("alice") as alice,
            server.client("bob") as bob,
        ):
            mine = [await submit(alice) for _ in range(6)]
            theirs = [await submit(bob) for _ in range(3)]
            await alice.call_tool("cancel_run", {"run_id": mine[0]["run_id"]})
            again = await submit(alice)
    assert ["run_id" in answer for answer in mine] == [True] * 4 + [False] * 2
    assert mine[4]["error"]["code"] == "limit_exceeded"
    assert mine[4]["error"]["retryable"]
    assert "run_id" in theirs[0]
    assert "run_id" in theirs[1]
    assert "run_id" in again or again["error"]["code"] == "limit_exceeded"


async def test_the_tasks_of_one_caller_do_not_hold_up_those_of_another(guarded: Guarding) -> None:
    many = {"tasks": [{"id": "a", "method": "probe/echo", "foreach": list(range(5_000)), "parameters": {"text": "a"}}]}
    one = {"method": "probe/echo", "parameters": {"text": "b"}}
    with anyio.fail_after(30):
        async with (
            guarded(engine__max_parallel_tasks=1) as server,
            server.client("alice") as alice,
            server.client("bob") as bob,
        ):
            flood = await alice.call_tool("submit_workflow", {"workflow": many, "wait_seconds": 0})
            await bob.call_tool("call_method", one)
            meanwhile = await alice.call_tool("inspect_run", {"run_id": flood.structured_content["run_id"]})
            await alice.call_tool("cancel_run", {"run_id": flood.structured_content["run_id"]})
    assert meanwhile.structured_content["status"] == "running"
