from __future__ import annotations

import anyio
import pytest
from mcp.server.subscriptions import ResourceUpdated, ServerEvent, ToolsListChanged

from gleitzeit.mcp_server.subscriptions.changes import open_changes
from gleitzeit.mcp_server.subscriptions.mailbox import Mailbox

pytestmark = pytest.mark.anyio


async def test_what_waits_is_told_once_and_in_order() -> None:
    mailbox = Mailbox(lambda _: True)
    events: list[ServerEvent] = [ToolsListChanged(), ResourceUpdated("a"), ToolsListChanged(), ResourceUpdated("b")]
    for event in events * 10_000:
        mailbox.put(event)
    mailbox.close()
    mailbox.put(ResourceUpdated("c"))
    told = [event async for event in mailbox.events()]
    assert told == [ToolsListChanged(), ResourceUpdated("a"), ResourceUpdated("b")]


async def test_an_event_that_comes_while_its_like_is_told_is_told_again() -> None:
    mailbox = Mailbox(lambda _: True)
    mailbox.put(ToolsListChanged())
    told: list[ServerEvent] = []
    async for event in mailbox.events():
        told.append(event)
        if len(told) == 1:
            mailbox.put(ToolsListChanged())
        mailbox.close()
    assert told == [ToolsListChanged(), ToolsListChanged()]


async def test_only_what_is_wanted_is_kept() -> None:
    async with open_changes() as changes:
        mailbox = Mailbox(lambda event: event == ResourceUpdated("a"))
        with changes.delivering(mailbox):
            events: list[ServerEvent] = [ToolsListChanged(), ResourceUpdated("b"), ResourceUpdated("a")]
            for event in events:
                await changes.publish(event)
        await changes.publish(ResourceUpdated("a"))  # it has left
        mailbox.close()
        assert [event async for event in mailbox.events()] == [ResourceUpdated("a")]


async def test_the_end_waits_for_those_who_read_and_no_longer_for_others() -> None:
    told: list[ServerEvent] = []
    async with open_changes() as changes, anyio.create_task_group() as tasks:
        reader, stuck = Mailbox(lambda _: True), Mailbox(lambda _: True)

        async def read() -> None:
            with changes.delivering(reader):
                told.extend([event async for event in reader.events()])

        tasks.start_soon(read)
        with changes.delivering(stuck):
            await anyio.wait_all_tasks_blocked()
            await changes.publish(ToolsListChanged())
            with anyio.fail_after(5):
                await changes.end()
        late = Mailbox(lambda _: True)
        with changes.delivering(late):
            assert [event async for event in late.events()] == []
    assert told == [ToolsListChanged()]
