"""Servers that start badly or noisily, or list their tools in ways of their own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import anyio
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import called, process_of, row_of, row_once, task

from gleitzeit.core.errors import MethodNotFoundError, ProviderError, ProviderUnavailableError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]


async def test_a_server_that_refuses_the_new_way_and_ignores_the_old_one_has_failed_when_its_time_is_over(
    open_hub: OpenHub,
) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("starting", "refusing", timeout=1), raw("hanging")) as hub:
            assert (await called(hub, "hanging.good"))["good"] is None
            with pytest.raises(ProviderUnavailableError, match="did not answer within 1 s") as failure:
                await called(hub, "starting.heard")
            row = await row_of(hub, "starting")
    assert not failure.value.ambiguous
    assert row["state"] == "failed"
    assert "did not answer within 1 s" in row["last_error"]


async def test_a_server_that_leaves_in_the_middle_of_its_start_says_how(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("starting", "leaving"), raw("hanging")) as hub:
            with pytest.raises(ProviderUnavailableError, match=r"exited with code 4(.|\n)*leaving early"):
                await called(hub, "starting.heard")
            assert (await row_of(hub, "starting"))["state"] == "failed"
            assert (await called(hub, "hanging.good"))["good"] is None


@pytest.mark.parametrize("era", ERAS)
async def test_what_is_printed_between_the_messages_is_counted_and_passed_over(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("starting", "noisy", era=era)) as hub:
            assert await process_of(hub, "starting") > 0
            row = await row_of(hub, "starting")
            assert await process_of(hub, "starting") > 0
            later = await row_of(hub, "starting")
    assert row["state"] == "ready"
    assert row["junk"] >= 6  # its two lines at the start, and some for each message
    assert later["junk"] > row["junk"]


async def test_a_list_of_ten_pages_is_read_whole(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", "pages")) as hub:
            listed = await hub.handle_request("mcp/tools/list", {})
            assert (await called(hub, "listing.tool99", {"a": 1}))["tool"] == "tool99"
    assert listed["count"] == 100
    assert len({tool["name"] for tool in listed["tools"]}) == 100


@pytest.mark.parametrize("way", ["circle", "spiral"])
async def test_a_list_without_an_end_is_given_up(open_hub: OpenHub, way: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", way)) as hub:
            row = await row_once(hub, "listing", "ready", "degraded", "failed")
            with pytest.raises((MethodNotFoundError, ProviderUnavailableError)):
                await called(hub, "listing.absent", by=task(5))
    assert row["state"] == "degraded"
    assert "no end" in row["last_error"]


async def test_five_thousand_tools_are_as_good_as_five(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", "many")) as hub:
            assert (await called(hub, "listing.tool4999"))["tool"] == "tool4999"
            assert (await row_of(hub, "listing"))["tools"] == 5_000
            with pytest.raises(MethodNotFoundError) as failure:
                await called(hub, "listing.tol4999")
    assert failure.value.hint is not None
    assert "tool" in failure.value.hint


async def test_malformed_tools_are_named_and_the_others_can_be_called(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", "malformed")) as hub:
            assert (await called(hub, "listing.good"))["tool"] == "good"
            assert (await called(hub, "listing.fine"))["tool"] == "fine"
            with pytest.raises(MethodNotFoundError):
                await called(hub, "listing.bent")
            row = await row_of(hub, "listing")
    assert row["state"] == "degraded"
    assert 'tool "bent" is malformed' in row["last_error"]
    assert "without a name" in row["last_error"]


async def test_two_tools_of_one_name_are_one_tool_and_said_to_be_two(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", "twins")) as hub:
            assert (await called(hub, "listing.twin"))["tool"] == "twin"
            listed = await hub.handle_request("mcp/tools/list", {})
            row = await row_of(hub, "listing")
    assert sorted(tool["name"] for tool in listed["tools"]) == ["other", "twin"]
    assert row["state"] == "degraded"
    assert "twin" in row["last_error"]


@pytest.mark.parametrize(("way", "words"), [("failing", "the catalogue is closed"), ("nothing", "tools")])
async def test_a_server_that_cannot_list_its_tools_is_degraded(open_hub: OpenHub, way: str, words: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", way)) as hub:
            row = await row_once(hub, "listing", "ready", "degraded", "failed")
    assert (row["state"], row["tools"]) == ("degraded", 0)
    assert words in row["last_error"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_server_without_tools_is_not_asked_for_them(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("listing", "toolless", era=era)) as hub:  # being asked would end it
            row = await row_once(hub, "listing", "ready", "degraded", "failed")
            with pytest.raises(MethodNotFoundError):
                await called(hub, "listing.anything")
            later = await row_of(hub, "listing")
    assert (row["state"], row["tools"], row["last_error"]) == ("ready", 0, None)
    assert (later["state"], later["restarts"]) == ("ready", 0)


async def test_a_server_that_dies_after_each_start_is_left_alone_until_it_is_called(
    open_hub: OpenHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts = tmp_path / "starts"
    monkeypatch.setattr("gleitzeit_mcp.servers.connection.RETRY_AFTER", 0)
    with anyio.fail_after(20):
        async with open_hub(raw("starting", "short", str(starts), max_restarts=2), raw("hanging")) as hub:
            row = await row_once(hub, "starting", "failed")
            assert starts.stat().st_size == 3
            with pytest.raises(ProviderError):  # it is up again, but not for long
                await called(hub, "starting.heard")
            await row_once(hub, "starting", "failed")
            assert starts.stat().st_size == 4
            assert (await called(hub, "hanging.good"))["good"] is None
    assert "exited with code 5" in row["last_error"]
    assert "out of breath" in row["last_error"]
    assert row["restarts"] == 2


async def test_a_server_that_may_not_be_restarted_is_not(open_hub: OpenHub, tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    with anyio.fail_after(20):
        async with open_hub(raw("starting", "short", str(starts), restart_on_failure=False)) as hub:
            row = await row_once(hub, "starting", "failed")
    assert row["restarts"] == 0
    assert starts.stat().st_size == 1
