"""Servers that say too much hold up nobody and fill no memory."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import Person, called, process_of, row_of, row_once, task

from gleitzeit.core.errors import ConnectionLostError, LimitError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]

MEGABYTE = 2**20
FLOODED = 200
REPORTS = 100_000


def resident() -> int:
    """The bytes of memory that this process holds."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmRSS")


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
async def test_a_flood_on_stderr_neither_stops_the_calls_nor_fills_the_memory(open_hub: OpenHub) -> None:
    with anyio.fail_after(30):
        async with open_hub(raw("flooding")) as hub:
            await called(hub, "flooding.good")
            before = resident()
            await called(hub, "flooding.flood_stderr")
            while (await called(hub, "flooding.flooded_by_now"))["megabytes"] < FLOODED:
                assert (await called(hub, "flooding.good"))["good"]
            grown = resident() - before
            assert (await called(hub, "flooding.stop_flood"))["megabytes"] >= FLOODED
            await called(hub, "flooding.good")
            row = await row_of(hub, "flooding")
    assert grown < 32 * MEGABYTE
    shown = row["stderr"] if isinstance(row["stderr"], str) else "\n".join(row["stderr"])
    assert shown.rstrip().endswith("the flood is over")
    assert len(shown) <= 16 * 1024


@pytest.mark.parametrize("place", ["first", "last"])
async def test_an_answer_over_the_limit_fails_its_call_alone(open_hub: OpenHub, place: str) -> None:
    with anyio.fail_after(30):
        async with open_hub(raw("flooding")) as hub:
            before = await process_of(hub, "flooding")
            with pytest.raises(LimitError, match="64 MiB") as failure:
                await called(hub, "flooding.long_line", {"megabytes": 100, "id": place})
            assert await process_of(hub, "flooding") == before
    assert failure.value.code == "limit_exceeded"
    assert failure.value.hint


async def test_an_answer_below_the_limit_is_taken_whole(open_hub: OpenHub) -> None:
    with anyio.fail_after(30):
        async with open_hub(raw("flooding")) as hub:
            result = await called(hub, "flooding.long_line", {"megabytes": 20, "id": "last"})
    assert len(result["text"]) == 20 * MEGABYTE


@pytest.mark.parametrize(
    ("tool", "parameters"), [("endless_line", {}), ("long_line", {"megabytes": 100, "id": "none"})]
)
async def test_a_line_over_the_limit_that_answers_nobody_ends_the_connection(
    open_hub: OpenHub, tool: str, parameters: dict[str, object]
) -> None:
    with anyio.fail_after(30):
        async with open_hub(raw("flooding"), raw("hanging")) as hub:
            before = await process_of(hub, "flooding")
            async with anyio.create_task_group() as tasks:

                async def flood() -> None:
                    with pytest.raises(ConnectionLostError) as failure:
                        await called(hub, f"flooding.{tool}", parameters)
                    assert failure.value.ambiguous

                tasks.start_soon(flood)
                assert (await called(hub, "hanging.good"))["good"] is None
            row = await row_once(hub, "flooding", "restarting", "starting")
            assert await process_of(hub, "flooding") != before
    assert "MiB" in row["last_error"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_flood_of_progress_is_thinned_out_and_ends_with_its_last_report(open_hub: OpenHub, era: str) -> None:
    person = Person()
    with anyio.fail_after(30):
        async with open_hub(raw("flooding", era=era)) as hub:
            result = await called(hub, "flooding.progress", {"count": REPORTS}, by=task(support=person))
    assert result["count"] == REPORTS
    assert 0 < len(person.reports) <= REPORTS // 5
    assert person.reports[-1][:2] == (REPORTS, REPORTS)
    steps = [done for done, _, _ in person.reports if done is not None]
    assert steps == sorted(steps)


async def test_progress_in_odd_forms_is_passed_over(open_hub: OpenHub) -> None:
    person = Person()
    with anyio.fail_after(20):
        async with open_hub(raw("flooding")) as hub:
            assert (await called(hub, "flooding.odd_progress", by=task(support=person)))["done"]
            assert (await row_of(hub, "flooding"))["restarts"] == 0
    assert person.reports[-1] == (1, 2, "half")


async def test_log_messages_and_unknown_notifications_disturb_nobody(open_hub: OpenHub) -> None:
    context = task()
    with anyio.fail_after(20):
        async with open_hub(raw("flooding")) as hub:
            assert (await called(hub, "flooding.log", {"count": 5_000}, by=context))["logged"]
            assert (await row_of(hub, "flooding"))["restarts"] == 0
    assert len(context.metadata.get("log", ())) <= 100
