"""A chat that calls tools of MCP servers: the engine, the hub, a server, and a model that wants its tools."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.answer import Answer, Asked
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit import GleitzeitClient
from gleitzeit.core.models import Run, Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.memory import MemoryStore
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_ollama import OllamaProvider

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[3]
MODEL = FakeModel("tiny", capabilities=frozenset({"completion", "tools"}))


def writes(*texts: str) -> Any:
    """A model that has each text written down, one a step, and then says how many lines there are."""

    def answer(asked: Asked) -> Answer:
        results = [message["content"] for message in asked.body["messages"] if message["role"] == "tool"]
        if len(results) < len(texts) and asked.body.get("tools"):
            return Answer(tool_calls=[{"name": "notebook_write", "arguments": {"text": texts[len(results)]}}])
        return Answer(f"done: {results[-1] if results else 'nothing'}")

    return answer


@pytest.fixture
async def node() -> AsyncIterator[FakeOllama]:
    async with FakeOllama(MODEL, version="0.12.0") as node:
        yield node


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes.txt"


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None, raising=False)


def notebook(notes: Path) -> dict[str, Any]:
    command = [sys.executable, "-S", "-m", "tests.providers.ollama.notebook", str(notes)]
    return {"name": "notebook", "command": command, "working_dir": str(ROOT), "mode": "legacy"}


def lines(notes: Path) -> list[str]:
    return notes.read_text(encoding="utf-8").splitlines() if notes.exists() else []


def chat(**parameters: Any) -> dict[str, Any]:
    return {
        "id": "chat",
        "method": "llm/chat",
        "parameters": {"messages": "write it down", "tools": "mcp", **parameters},
    }


async def carried_out(node: FakeOllama, notes: Path, task: dict[str, Any], **config: Any) -> Run:
    settings = {
        "providers": {"ollama": {"endpoint": node.url, "models": {"default": "tiny"}}},
        "mcp": {"servers": [notebook(notes)]},
        "engine": {"database": "memory"},
        **config,
    }
    with anyio.fail_after(20):
        async with GleitzeitClient(mode="native", config=settings) as client:
            return await client.run_workflow({"tasks": [task]})


async def test_each_step_and_each_tool_is_a_call_of_the_task(node: FakeOllama, notes: Path) -> None:
    node.state.answers = writes("one", "two")
    run = await carried_out(node, notes, chat(tools="notebook.write"))
    assert run.status == "completed", run.tasks["chat"].error
    result = run.tasks["chat"].result
    assert lines(notes) == ["one", "two"]
    assert result["response"] == 'done: {"lines":2}'
    assert result["steps"] == 3
    assert [(call["tool"], call["arguments"]["text"], call["ok"]) for call in result["calls"]] == [
        ("mcp/tool.notebook.write", "one", True),
        ("mcp/tool.notebook.write", "two", True),
    ]
    assert run.tasks["chat"].metadata["steps"] == 3
    assert [asked.path for asked in node.counters.asked] == ["/api/chat"] * 3
    names = [tool["function"]["name"] for tool in node.counters.asked[0].body["tools"]]
    assert names == ["notebook_write"]
    assert node.counters.asked[-1].body["messages"][-1]["role"] == "tool"


async def test_what_a_tool_refuses_is_told_to_the_model(node: FakeOllama, notes: Path) -> None:
    node.state.answers = writes("nonsense", "sense")
    run = await carried_out(node, notes, chat())
    assert run.status == "completed", run.tasks["chat"].error
    assert [call["ok"] for call in run.tasks["chat"].result["calls"]] == [False, True]
    assert lines(notes) == ["sense"]
    told = [message["content"] for message in node.counters.asked[-1].body["messages"] if message["role"] == "tool"]
    assert "nonsense is not written down" in told[0]


async def test_a_tool_that_the_policy_denies_ends_the_task(node: FakeOllama, notes: Path) -> None:
    node.state.answers = writes("one")
    run = await carried_out(node, notes, chat(), policy={"deny": ["mcp/tool.notebook.write"]})
    assert run.status == "failed"
    assert run.tasks["chat"].error is not None
    assert run.tasks["chat"].error.code == "forbidden"
    assert lines(notes) == []


async def test_tools_that_are_not_there_fail_the_task_with_the_nearest(node: FakeOllama, notes: Path) -> None:
    run = await carried_out(node, notes, chat(tools="notebok.write"))
    error = run.tasks["chat"].error
    assert error is not None
    assert (error.code, error.hint) == ("method_not_found", 'did you mean "notebook.write"?')
    assert not node.counters.asked


async def test_a_model_without_tools_is_told_as_such_by_ollama(node: FakeOllama, notes: Path) -> None:
    node.install("plain")
    run = await carried_out(node, notes, chat(model="plain"))
    error = run.tasks["chat"].error
    assert error is not None
    assert "does not support tools" in error.message
    assert not error.retryable


class Uptime:
    """A clock for leases, which a dead process stops."""

    def __init__(self, seconds: float = 1_000.0) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


async def test_after_a_crash_in_the_middle_no_tool_is_called_twice(node: FakeOllama, notes: Path) -> None:
    node.state.answers = writes("one", "two")
    registry = ProtocolProviderRegistry()
    registry.register_provider(
        "llm/v1", OllamaProvider("ollama", {"endpoint": node.url, "models": {"default": "tiny"}})
    )
    registry.register_provider("mcp/v1", MCPHubProvider("mcp", {"servers": [notebook(notes)]}))
    dead, alive = MemoryStore(uptime=Uptime()), Uptime()
    with anyio.fail_after(20):
        async with registry.running(), LocalEngine(registry, dead) as first:
            asked = node.counters.until(lambda seen: seen.requests["/api/chat"] == 2 and seen.running == 1)
            node.state.answers = held_at_the_second(node, writes("one", "two"))
            run = await first.submit(Submission(Workflow.model_validate({"tasks": [chat()]}), {}))
            await asked
            assert lines(notes) == ["one"]
            alive.seconds += 120.0
            async with LocalEngine(registry, MemoryStore(peer=dead, uptime=alive)) as second:
                await node.counters.until(lambda seen: seen.requests["/api/chat"] == 3)
                node.state.gate.release()
                done = await second.wait(run.id)
    assert done.status == "completed", done.tasks["chat"].error
    assert lines(notes) == ["one", "two"]
    assert done.tasks["chat"].result["steps"] == 3
    assert done.tasks["chat"].attempts == 2


def held_at_the_second(node: FakeOllama, answers: Any) -> Any:
    """The same answers, none of which comes any more from the second one on, until the gate is opened."""

    def answer(asked: Asked) -> Answer:
        said: Answer = answers(asked)
        if len(asked.body["messages"]) > 1 and node.counters.requests["/api/chat"] == 2:
            node.state.gate.hold()
        return said

    return answer
