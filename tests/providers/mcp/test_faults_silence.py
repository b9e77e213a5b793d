"""Calls that hang: they end in time, the server is told, and what it says too late is dropped."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import Person, called, heard, process_of, row_once, task

from gleitzeit.core import errors
from gleitzeit.core.errors import ProviderError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]


def hanging_calls(messages: list[dict[str, Any]]) -> dict[int, Any]:
    """The request id of each call that hangs, by the number that it was given."""
    calls = [message for message in messages if message["params"]["name"] == "hang"]
    return {call["params"]["arguments"]["number"]: call["id"] for call in calls}


async def cancelled_calls(hub: MCPHubProvider, server: str) -> list[Any]:
    return [message["params"]["requestId"] for message in await heard(hub, server, "notifications/cancelled")]


@pytest.mark.parametrize("era", ERAS)
async def test_the_time_of_the_task_ends_a_call_and_the_server_is_told_which(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", era=era)) as hub:
            await called(hub, "hanging.good")
            with pytest.raises(errors.TimeoutError) as failure:
                await called(hub, "hanging.hang", {"number": 1}, by=task(0.3))
            ids = hanging_calls(await heard(hub, "hanging", "tools/call"))
            assert await cancelled_calls(hub, "hanging") == [ids[1]]
    assert failure.value.ambiguous
    assert "hang" in failure.value.message


async def test_the_time_of_the_server_ends_a_call_too(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", timeout=1)) as hub:
            with pytest.raises(errors.TimeoutError, match="1 s") as failure:
                await called(hub, "hanging.hang", {"number": 1})
            ids = hanging_calls(await heard(hub, "hanging", "tools/call"))
            assert await cancelled_calls(hub, "hanging") == [ids[1]]
    assert failure.value.ambiguous


@pytest.mark.parametrize("era", ERAS)
async def test_a_cancelled_task_cancels_its_own_call_on_its_own_server(open_hub: OpenHub, era: str) -> None:
    servers = [raw("hanging", era=era) | {"name": name} for name in ("one", "other")]
    with anyio.fail_after(20):
        async with open_hub(*servers) as hub, anyio.create_task_group() as tasks:
            scopes: dict[tuple[str, int], anyio.CancelScope] = {}
            over: dict[tuple[str, int], anyio.Event] = {}

            async def call(server: str, number: int, person: Person) -> None:
                with anyio.CancelScope() as scopes[server, number]:
                    await called(hub, f"{server}.hang", {"number": number}, by=task(support=person))
                over[server, number].set()

            for server in ("one", "other"):
                for number in range(3):
                    person = Person()
                    over[server, number] = anyio.Event()
                    tasks.start_soon(call, server, number, person)
                    await person.reported.wait()
            ids = {server: hanging_calls(await heard(hub, server, "tools/call")) for server in ("one", "other")}
            for chosen in (("other", 1), ("one", 2), ("one", 0)):
                scopes[chosen].cancel()
                await over[chosen].wait()
            assert await cancelled_calls(hub, "other") == [ids["other"][1]]
            assert await cancelled_calls(hub, "one") == [ids["one"][2], ids["one"][0]]
            tasks.cancel_scope.cancel()


@pytest.mark.parametrize("era", ERAS)
async def test_an_answer_that_comes_too_late_is_dropped(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", era=era)) as hub:
            await called(hub, "hanging.good")
            for number in range(3):
                with pytest.raises(errors.TimeoutError):
                    await called(hub, "hanging.hang", {"number": number}, by=task(0.15))
                assert await called(hub, "hanging.good", {"number": number}) == {
                    "good": number,
                    "text": "",
                    "content": [],
                }


async def test_a_server_that_does_not_read_holds_up_only_its_own_calls(open_hub: OpenHub) -> None:
    large = "x" * 2**20
    with anyio.fail_after(20):
        async with open_hub(raw("hanging"), raw("flooding")) as hub:
            await called(hub, "hanging.stop_reading")
            async with anyio.create_task_group() as tasks:

                async def call() -> None:
                    with pytest.raises(errors.TimeoutError) as failure:
                        await called(hub, "hanging.good", {"number": large}, by=task(0.8))
                    assert failure.value.ambiguous

                for _ in range(3):
                    tasks.start_soon(call)
                assert (await called(hub, "flooding.good"))["good"]
            assert (await called(hub, "flooding.good"))["good"]


@pytest.mark.parametrize("tool", ["close_stdout", "close_stdin"])
async def test_a_server_that_closes_its_end_is_replaced(open_hub: OpenHub, tool: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("hanging")) as hub:
            before = await process_of(hub, "hanging")
            await called(hub, f"hanging.{tool}")
            with suppress(ProviderError):  # it may take this call to notice
                await called(hub, "hanging.good", by=task(5))
            assert await process_of(hub, "hanging") != before
    assert not is_alive(before)


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_that_stands_still_is_found_and_replaced(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch, era: str
) -> None:
    monkeypatch.setattr("gleitzeit_mcp.servers.liveness.PING_INTERVAL", 0.2)
    monkeypatch.setattr("gleitzeit_mcp.servers.liveness.PING_LIMIT", 0.4)
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", era=era)) as hub:
            before = await process_of(hub, "hanging")
            os.kill(before, signal.SIGSTOP)
            row = await row_once(hub, "hanging", "restarting", "starting")
            assert await process_of(hub, "hanging") != before
    assert row["last_error"]
    assert not is_alive(before)


async def test_a_server_that_stopped_reading_is_found_by_the_call_that_it_left_open(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleitzeit_mcp.servers.liveness.PING_LIMIT", 0.4)
    with anyio.fail_after(20):
        async with open_hub(raw("hanging")) as hub:
            before = await process_of(hub, "hanging")
            await called(hub, "hanging.stop_reading")
            with pytest.raises(errors.TimeoutError):
                await called(hub, "hanging.good", by=task(0.3))
            await row_once(hub, "hanging", "restarting", "starting")
            assert await process_of(hub, "hanging") != before


async def test_a_server_that_refuses_the_question_whether_it_lives_lives(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleitzeit_mcp.servers.liveness.PING_INTERVAL", 0.05)
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", "pingless")) as hub:
            before = await process_of(hub, "hanging")
            connection = hub.connection("hanging")
            while "pinged" not in connection.tools:
                await connection.next_change()
            assert await process_of(hub, "hanging") == before


async def test_a_stream_of_changes_that_a_server_closes_is_opened_again(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleitzeit_mcp.servers.liveness.LISTEN_PAUSE", 0.05)
    with anyio.fail_after(20):
        async with open_hub(raw("hanging", era="modern")) as hub:
            before = await process_of(hub, "hanging")
            for number in range(1, 3):
                while len(await heard(hub, "hanging", "subscriptions/listen")) < number:
                    pass
                await called(hub, "hanging.end_listening")
            while len(await heard(hub, "hanging", "tools/list")) < 2:  # it may have changed in the gap
                pass
            assert await process_of(hub, "hanging") == before


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
