"""Tools that come, go and share their names."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import called, heard

from gleitzeit.core.errors import ConfigurationError, MethodNotFoundError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]


def listing(name: str, *tools: str, **others: Any) -> dict[str, Any]:
    return raw("listing", "named", *tools, **others) | {"name": name}


async def known_tools(hub: MCPHubProvider) -> set[str]:
    return {tool["name"] for tool in (await hub.handle_request("mcp/tools/list", {}))["tools"]}


async def until_known(hub: MCPHubProvider, tool: str) -> None:
    while tool not in await known_tools(hub):
        await heard(hub, "changing", "tools/list")  # a way there and back, in which the list can come


async def until_it_tells(hub: MCPHubProvider, era: str) -> None:
    """A modern server tells of changes once it is listened to."""
    while era == "modern" and not await heard(hub, "changing", "subscriptions/listen"):
        pass


@pytest.mark.parametrize("era", ERAS)
async def test_tools_that_change_are_known_soon_after(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("changing", era=era)) as hub:
            await until_it_tells(hub, era)
            assert (await called(hub, "changing.first_tool"))["tool"] == "first_tool"
            await called(hub, "changing.replace", {"old": "first_tool", "new": "first_tools"})
            await until_known(hub, "first_tools")
            assert (await called(hub, "changing.first_tools"))["tool"] == "first_tools"
            with pytest.raises(MethodNotFoundError) as failure:
                await called(hub, "changing.first_tool")
            assert "first_tool" not in await known_tools(hub)
            assert "mcp/tool.changing.first_tools" in {spec.name for spec in await hub.list_methods()}
    assert failure.value.hint == 'did you mean "mcp/tool.changing.first_tools"?'


@pytest.mark.parametrize("era", ERAS)
async def test_a_burst_of_changes_is_answered_by_a_handful_of_lists(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("changing", era=era)) as hub:
            await until_it_tells(hub, era)
            for _ in range(3):
                await called(hub, "changing.burst", {"count": 100})
            await called(hub, "changing.replace", {"new": "last_tool"})
            await until_known(hub, "last_tool")
            lists = await heard(hub, "changing", "tools/list")
    assert 2 <= len(lists) <= 10


async def test_a_change_while_calls_go_on_disturbs_none_of_them(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("changing")) as hub, anyio.create_task_group() as tasks:

            async def call() -> None:
                for _ in range(20):
                    assert (await called(hub, "changing.first_tool"))["tool"] == "first_tool"

            for _ in range(5):
                tasks.start_soon(call)
            for number in range(20):
                await called(hub, "changing.replace", {"new": f"tool{number}"})
            await until_known(hub, "tool19")


async def test_tools_that_are_not_enabled_stay_so_when_they_come_later(open_hub: OpenHub) -> None:
    settings = raw("changing", disabled_tools=["secret_*"])
    with anyio.fail_after(20):
        async with open_hub(settings) as hub:
            await called(hub, "changing.replace", {"new": "secret_one"})
            await called(hub, "changing.replace", {"new": "open_one"})
            await until_known(hub, "open_one")
            assert "secret_one" not in await known_tools(hub)
            with pytest.raises(MethodNotFoundError):
                await called(hub, "changing.secret_one")


async def test_only_enabled_tools_can_be_called(open_hub: OpenHub) -> None:
    chosen = listing("some", "read_file", "read_secret", "write_file", tool_prefix="s.")
    chosen |= {"enabled_tools": ["read_*"], "disabled_tools": ["*secret"]}
    with anyio.fail_after(20):
        async with open_hub(chosen) as hub:
            assert (await called(hub, "s.read_file"))["tool"] == "read_file"
            for hidden in ("s.read_secret", "s.write_file", "some.write_file", "write_file"):
                with pytest.raises(MethodNotFoundError):
                    await called(hub, hidden)
            assert await known_tools(hub) == {"read_file"}


def test_names_that_can_be_seen_to_collide_are_refused() -> None:
    for prefixes in (("x.", "x."), ("other.", "")):
        with pytest.raises(ConfigurationError, match=r"one(.|\n)*other"):
            MCPHubProvider(
                "mcp",
                {"servers": [listing("one", tool_prefix=prefixes[0]), listing("other", tool_prefix=prefixes[1])]},
            )


@pytest.mark.parametrize(
    ("name", "prefix"), [("one", "dat"), ("one", "data."), ("one", "data.more."), ("data.more", "")]
)
def test_names_by_which_one_server_could_pass_for_another_are_refused(name: str, prefix: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        MCPHubProvider("mcp", {"servers": [listing(name, tool_prefix=prefix), listing("data")]})
    assert f'"{name}"' in failure.value.message
    assert '"data"' in failure.value.message


async def test_an_unknown_tool_names_the_nearest_of_its_server(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(listing("one", "create_issue", "close_issue"), listing("other", "read_mail")) as hub:
            with pytest.raises(MethodNotFoundError) as failure:
                await called(hub, "one.create_isue")
            with pytest.raises(MethodNotFoundError) as bare:
                await called(hub, "read_mial")
    assert failure.value.hint == 'did you mean "mcp/tool.one.create_issue"?'
    assert "read_mail" in str(bare.value.hint)
