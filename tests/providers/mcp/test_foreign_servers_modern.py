"""A server of the official SDK in the modern era: tasks, questions in rounds, streams of changes, content."""

from __future__ import annotations

import runpy
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp.server import MCPServer
from tests.providers.mcp.servers.settings import ROOT, raw
from tests.providers.mcp.servers.task import Person, called, row_of, task
from tests.providers.mcp.test_http import listening
from tests.ways import some

from gleitzeit.core.errors import (
    GleitzeitError,
    MethodNotFoundError,
    ProviderError,
    ProviderUnavailableError,
    QuestionDeclinedError,
    TimeoutError,
    ToolFailedError,
)
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.servers import connection

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]

ALL_WAYS = ["stdio", "http", "sse"]
EVERY_WAY = pytest.mark.parametrize("way", ALL_WAYS)
EACH_WAY = pytest.mark.parametrize("way", some(["http", "sse"], ALL_WAYS))  # stdio takes a process each time
ANSWERS: dict[str, dict[str, Any]] = {
    "Which wood?": {"wood": "oak"},
    "How high?": {"cm": 90},
    "How wide?": {"cm": 40.5},
}


@asynccontextmanager
async def offered(way: str) -> AsyncGenerator[dict[str, Any]]:
    """The settings by which the workshop is reached."""
    module = "tests.providers.mcp.servers.workshop"
    if way == "stdio":
        yield {"name": "workshop", "command": [sys.executable, "-m", module], "working_dir": str(ROOT)}
        return
    workshop: MCPServer = runpy.run_module(module)["server"]
    app = workshop.sse_app() if way == "sse" else workshop.streamable_http_app()
    async with listening(app) as far:
        yield {"name": "workshop", "connection_type": way, "url": far.address + ("/sse" if way == "sse" else "/mcp")}


@pytest.fixture
def open_workshop(open_hub: OpenHub) -> Callable[..., AbstractAsyncContextManager[MCPHubProvider]]:
    """`async with open_workshop(way, timeout=...) as hub`."""

    @asynccontextmanager
    async def opened(way: str = "http", **others: Any) -> AsyncGenerator[MCPHubProvider]:
        with anyio.fail_after(40):
            async with offered(way) as server, open_hub({**server, **others}) as hub:
                yield hub

    return opened


def by_words(words: str, _schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """The answer to a question."""
    return ANSWERS[words.removeprefix("workshop asks: ")]


@EVERY_WAY
async def test_a_task_is_followed_to_its_result_and_tells_how_far_it_is(open_workshop: OpenHub, way: str) -> None:
    person = Person()
    context = task(support=person)
    async with open_workshop(way) as hub:
        result = await called(hub, "workshop.build", {"parts": 4}, by=context)
    assert (result["words"], result["parts"], result["text"]) == ("built", 4, "built")
    told = [message for _, _, message in person.reports]
    assert len(told) >= 2
    assert set(told) <= {f"part {number}" for number in range(1, 5)}
    assert context.metadata["protocol_version"] == "2026-07-28"


@EACH_WAY
async def test_a_task_that_fails_fails_in_its_own_words(open_workshop: OpenHub, way: str) -> None:
    async with open_workshop(way) as hub:
        with pytest.raises(ProviderError, match="the saw is blunt") as failure:
            await called(hub, "workshop.break")
        with pytest.raises(ToolFailedError, match="the wood is wet"):
            await called(hub, "workshop.spoil")
    assert failure.value.details["mcp_code"] == -32050


@EACH_WAY
async def test_a_task_asks_several_times_and_each_question_is_put_once(open_workshop: OpenHub, way: str) -> None:
    person = Person(by_words)
    async with open_workshop(way) as hub:
        result = await called(hub, "workshop.commission", by=task(support=person))
    assert result["said"] == {"wood": {"wood": "oak"}, "height": {"cm": 90}, "width": {"cm": 40.5}}
    assert [words for words, _ in person.questions] == [f"workshop asks: {question}" for question in ANSWERS]


async def test_a_question_that_is_declined_is_the_server_s_to_deal_with(open_workshop: OpenHub) -> None:
    def decline(*_: Any) -> Any:
        raise QuestionDeclinedError("no", details={"action": "decline"})

    async with open_workshop() as hub:
        result = await called(hub, "workshop.commission", by=task(support=Person(decline)))
    assert result["said"] == {"wood": "decline", "height": "decline", "width": "decline"}


async def test_how_long_a_person_thinks_is_not_the_task_s_time(open_workshop: OpenHub) -> None:
    limits: list[float] = []

    def answer(words: str, schema: Mapping[str, Any] | None) -> dict[str, Any]:
        limits.append(anyio.current_effective_deadline())
        return by_words(words, schema)

    async with open_workshop() as hub:
        await hub.connection("workshop").ready()
        of_the_test = anyio.current_effective_deadline()
        result = await called(hub, "workshop.commission", by=task(20, Person(answer)))
    assert result["words"] == "commissioned"
    assert limits == [of_the_test] * 3


@EVERY_WAY
async def test_a_call_that_is_given_up_cancels_its_task_in_the_server(
    open_workshop: OpenHub, tmp_path: Path, way: str
) -> None:
    cancelled = tmp_path / "cancelled"
    person = Person()
    async with open_workshop(way) as hub:
        async with anyio.create_task_group() as tasks:

            async def wait() -> None:
                await called(hub, "workshop.wait", {"cancelled": str(cancelled)}, by=task(support=person))

            tasks.start_soon(wait)
            await person.reported.wait()
            tasks.cancel_scope.cancel()
        await called(hub, "workshop.count", {"limit": 1})
        assert cancelled.exists()


async def test_a_task_that_takes_too_long_is_cancelled_too(open_workshop: OpenHub, tmp_path: Path) -> None:
    cancelled = tmp_path / "cancelled"
    async with open_workshop() as hub:
        await hub.connection("workshop").ready()
        with pytest.raises(TimeoutError, match="workshop"):
            await called(hub, "workshop.wait", {"cancelled": str(cancelled)}, by=task(0.5))
        await called(hub, "workshop.count", {"limit": 1})
        assert cancelled.exists()


async def test_a_task_that_asks_where_nobody_can_answer_is_an_error(open_workshop: OpenHub) -> None:
    async with open_workshop() as hub:
        with pytest.raises(GleitzeitError, match="outside of a run"):
            await called(hub, "workshop.commission")


async def test_a_client_without_tasks_is_told_so(open_workshop: OpenHub) -> None:
    async with open_workshop(mode="legacy") as hub:
        with pytest.raises(ToolFailedError, match="knows tasks"):
            await called(hub, "workshop.build", {"parts": 1})
        counted = await called(hub, "workshop.count", {"limit": 2})
    assert counted["counted"] == 2


@EACH_WAY
async def test_progress_of_a_plain_call_arrives_in_order(open_workshop: OpenHub, way: str) -> None:
    person = Person()
    async with open_workshop(way) as hub:
        result = await called(hub, "workshop.count", {"limit": 5}, by=task(support=person))
    assert result["counted"] == 5
    assert person.reports == [(number, 5, f"at {number}") for number in range(1, 6)]


@EACH_WAY
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_questions_that_build_on_each_other_are_answered_round_by_round(
    open_workshop: OpenHub, way: str, mode: str
) -> None:
    def answer(words: str, _schema: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"name": "Ada"} if "name" in words else {"years": 36}

    person = Person(answer)
    async with open_workshop(way, mode=mode) as hub:
        result = await called(hub, "workshop.introduce", by=task(support=person))
    assert (result["name"], result["years"]) == ("Ada", 36)
    assert [words for words, _ in person.questions] == [
        "workshop asks: What is your name?",
        "workshop asks: How old are you, Ada?",
    ]


@EACH_WAY
async def test_a_tool_that_it_learns_later_can_be_called(open_workshop: OpenHub, way: str) -> None:
    async with open_workshop(way) as hub:
        with pytest.raises(MethodNotFoundError):
            await called(hub, "workshop.plane")
        workshop = hub.connection("workshop")
        await called(hub, "workshop.learn", {"name": "plane"})
        while "plane" not in workshop.tools:
            await workshop.next_change()
        used = await called(hub, "workshop.plane")
    assert used["text"] == "used plane"


@EACH_WAY
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_its_resources_and_prompts_are_within_reach(open_workshop: OpenHub, way: str, mode: str) -> None:
    async with open_workshop(way, mode=mode) as hub:
        listed = await hub.handle_request("mcp/resources/list", {"server": "workshop"})
        rules = await hub.handle_request("mcp/resource.read", {"uri": "workshop://rules"})
        tool = await hub.handle_request("mcp/resource.read", {"uri": "workshop://tools/saw"})
        with pytest.raises(GleitzeitError, match="workshop://nothing"):
            await hub.handle_request("mcp/resource.read", {"uri": "workshop://nothing"})
        prompts = await hub.handle_request("mcp/prompts/list", {})
        order = {"name": "order", "arguments": {"thing": "tables", "pieces": 3}}
        prompt = await hub.handle_request("mcp/prompt.get", order)
        ping = await hub.handle_request("mcp/ping", {"server": "workshop"})
    assert [entry["uri"] for entry in listed["resources"]] == ["workshop://rules"]
    assert [entry["uriTemplate"] for entry in listed["templates"]] == ["workshop://tools/{name}"]
    assert (rules["text"], tool["text"]) == ("Sweep before you leave.", "a saw")
    assert [entry["name"] for entry in prompts["prompts"]] == ["order"]
    assert prompt["messages"][0]["content"]["text"] == "Make 3 tables."
    assert ping["seconds"] >= 0


async def test_a_server_that_ends_while_it_is_asked_for_its_era_is_asked_again_the_next_time(
    open_hub: OpenHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "RETRY_AFTER", 0.0)
    with anyio.fail_after(20):
        async with open_hub(raw("startled", str(tmp_path / "lived"), era="modern")) as hub:
            with pytest.raises(ProviderUnavailableError, match="no initialize here"):
                await called(hub, "startled.process")
            assert (await called(hub, "startled.process"))["pid"] > 0
            row = await row_of(hub, "startled")
    assert row["protocol_version"] == "2026-07-28"
