"""Servers that die in the middle of a call: what may be repeated is, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import called, process_of, row_of, task

from gleitzeit.core.errors import ConnectionLostError, ProviderUnavailableError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]


def mortal(calls: Path, deaths: int, *, gate: Path | None = None, **others: Any) -> dict[str, Any]:
    arguments = [str(calls), str(deaths), *([str(gate)] if gate else [])]
    return raw("mortal", *arguments, idempotent_tools=["nam*"], **others)


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("tool", ["risk", "destroy"])
async def test_an_ordinary_call_that_is_cut_off_is_ambiguous_and_not_repeated(
    open_hub: OpenHub, tmp_path: Path, tool: str, era: str
) -> None:
    calls, context = tmp_path / "calls", TaskContext()
    with anyio.fail_after(20):
        async with open_hub(mortal(calls, 1, era=era)) as hub:
            with pytest.raises(ConnectionLostError) as failure:
                await called(hub, f"mortal.{tool}", by=context)
            assert calls.stat().st_size == 1
            assert (await called(hub, f"mortal.{tool}"))["count"] == 2
            row = await row_of(hub, "mortal")
    assert failure.value.ambiguous
    assert (row["state"], row["restarts"]) == ("ready", 1)
    assert "resent" not in context.metadata


@pytest.mark.parametrize("tool", ["read", "repeat", "named"])
@pytest.mark.parametrize("deaths", [1, 2])
async def test_a_call_that_may_be_repeated_is_sent_again_to_the_next_process(
    open_hub: OpenHub, tmp_path: Path, tool: str, deaths: int
) -> None:
    context = TaskContext()
    with anyio.fail_after(20):
        async with open_hub(mortal(tmp_path / "calls", deaths)) as hub:
            result = await called(hub, f"mortal.{tool}", {"a": 1}, by=context)
    assert (result["count"], result["arguments"]) == (deaths + 1, {"a": 1})
    assert context.metadata["resent"] == deaths


async def test_a_call_that_ends_its_server_each_time_is_repeated_no_more_than_twice(
    open_hub: OpenHub, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    with anyio.fail_after(20):
        async with open_hub(mortal(calls, 100)) as hub:
            with pytest.raises(ConnectionLostError):
                await called(hub, "mortal.read")
            assert calls.stat().st_size == 3
            assert await process_of(hub, "mortal") > 0


async def test_a_call_that_may_be_repeated_is_not_where_nobody_restarts_the_server(
    open_hub: OpenHub, tmp_path: Path
) -> None:
    calls = tmp_path / "calls"
    with anyio.fail_after(20):
        async with open_hub(mortal(calls, 100, restart_on_failure=False)) as hub:
            with pytest.raises(ConnectionLostError):
                await called(hub, "mortal.read")
            assert calls.stat().st_size == 1


async def test_calls_side_by_side_are_all_cut_off_and_only_the_repeatable_ones_come_back(
    open_hub: OpenHub, tmp_path: Path
) -> None:
    ends: dict[str, str] = {}
    calls = tmp_path / "calls"
    with anyio.fail_after(20):
        async with open_hub(mortal(calls, 1)) as hub, anyio.create_task_group() as tasks:
            await process_of(hub, "mortal")

            async def call(tool: str) -> None:
                try:
                    await called(hub, f"mortal.{tool}")
                    ends[tool] = "answered"
                except ConnectionLostError:
                    ends[tool] = "lost"

            for tool in ("destroy", "risk", "read", "repeat"):
                tasks.start_soon(call, tool)
    # One that could not be written any more, for the server was gone already, was certainly not carried out.
    assert ends.pop("risk") in ("lost", "answered")
    assert ends == {"destroy": "lost", "read": "answered", "repeat": "answered"}
    assert calls.stat().st_size in (3, 4)


async def test_a_call_made_while_its_server_restarts_waits_for_it(open_hub: OpenHub, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    results: list[int] = []
    with anyio.fail_after(20):
        async with open_hub(mortal(tmp_path / "calls", 1, gate=gate)) as hub, anyio.create_task_group() as tasks:
            await process_of(hub, "mortal")
            os.mkfifo(gate)
            with pytest.raises(ConnectionLostError):
                await called(hub, "mortal.risk")

            async def call() -> None:
                results.append((await called(hub, "mortal.risk"))["count"])

            tasks.start_soon(call)
            opened = await anyio.to_thread.run_sync(gate.open, "wb")  # as soon as the next process waits there
            assert results == []
            opened.close()
    assert results == [2]


async def test_a_call_that_waits_for_a_restart_longer_than_it_may_was_not_sent(
    open_hub: OpenHub, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    with anyio.fail_after(20):
        async with open_hub(mortal(tmp_path / "calls", 1, gate=gate)) as hub:
            await process_of(hub, "mortal")
            os.mkfifo(gate)
            with pytest.raises(ConnectionLostError):
                await called(hub, "mortal.risk")
            with pytest.raises(ProviderUnavailableError) as failure:
                await called(hub, "mortal.risk", by=task(0.4))
    assert failure.value.retryable
    assert not failure.value.ambiguous


async def test_of_two_servers_the_one_that_lives_notices_nothing(open_hub: OpenHub, tmp_path: Path) -> None:
    with anyio.fail_after(20):
        async with open_hub(mortal(tmp_path / "calls", 1), raw("hanging")) as hub:
            before = await process_of(hub, "hanging")
            with pytest.raises(ConnectionLostError):
                await called(hub, "mortal.risk")
            assert await process_of(hub, "hanging") == before
            assert (await row_of(hub, "hanging"))["restarts"] == 0
