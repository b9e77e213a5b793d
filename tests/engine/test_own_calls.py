"""What carrying a method out may call by itself, whatever the task's `calls` say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gleitzeit.core.errors import ConnectionLostError, ForbiddenError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio


def serve(bench: Any, calls: Sequence[str] = ("test/tool.*",), *, idempotent: bool = False) -> list[str]:
    """Have `test/chat` call what its parameter `tool` names; the tools that were carried out."""
    used: list[str] = []

    async def chat(parameters: dict[str, Any]) -> Any:
        return {"got": await current_task().call(f"test/{parameters['tool']}")}

    async def code(parameters: dict[str, Any]) -> Any:
        return {"got": await current_task().call(parameters["method"], parameters["parameters"])}

    def tool(name: str) -> Any:
        async def use(_: dict[str, Any]) -> Any:
            used.append(name)
            return {"used": name}

        return use

    bench.method(chat)
    bench.method(code)
    for name in ("tool.look", "tool.send", "tools"):
        bench.provider.functions[name] = tool(name)
    bench.provider.specs["chat"] = MethodSpec("test/chat", calls=calls, idempotent=idempotent)
    return used


def chat(tool: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": "a", "method": "test/chat", "parameters": {"tool": tool}, **fields}]


async def failure(bench: Any, tasks: list[dict[str, Any]]) -> Any:
    run = await bench.run(tasks)
    assert run.status == "failed"
    return run.tasks["a"].error


@pytest.mark.parametrize("pattern", ["test/tool.*", "test/tool.look", "test/*.look", "*"])
async def test_a_method_may_call_what_its_own_patterns_name(bench: Any, pattern: str) -> None:
    used = serve(bench, ["test/other", pattern])
    run = await bench.run(chat("tool.look"))
    assert (run.outputs["a"], used) == ({"got": {"used": "tool.look"}}, ["tool.look"])


@pytest.mark.parametrize("pattern", ["test/tool.*", "test/tool", "test/TOOLS", "tools", "est/tools", ""])
async def test_it_may_call_nothing_else_and_the_error_says_what_would_allow_it(bench: Any, pattern: str) -> None:
    used = serve(bench, [pattern])
    error = await failure(bench, chat("tools"))
    assert (error.code, used) == ("forbidden", [])
    assert error.message == 'task "a" may not call test/tools: its `calls` name nothing'
    assert error.hint == 'add "test/tools" to its `calls`'
    run = await bench.run(chat("tools", calls=["test/tools"]))
    assert (run.status, used) == ("completed", ["tools"])


async def test_what_the_policy_forbids_it_may_not_call_either(bench: Any) -> None:
    def policy(method: str) -> None:
        if method == "test/tool.send":
            raise ForbiddenError(f"nobody may use {method}")

    await bench.start(policy=policy)
    used = serve(bench)
    assert (await failure(bench, chat("tool.send"))).message == "nobody may use test/tool.send"
    assert (await bench.run(chat("tool.look"))).status == "completed"
    assert used == ["tool.look"]


async def test_code_reaches_through_it_nothing_that_its_own_task_does_not_name(bench: Any) -> None:
    used = serve(bench, ["*"])
    through = {"method": "test/chat", "parameters": {"tool": "tool.send"}}
    error = await failure(
        bench, [{"id": "a", "method": "test/code", "parameters": through, "calls": ["test/chat", "test/tool.look"]}]
    )
    assert (error.code, used) == ("forbidden", [])
    assert error.message == "test/chat was called by the code of a task, and may not call test/tool.send itself"
    assert error.hint == "let the task's own code call test/tool.send, or make both tasks of a workflow"


async def test_code_is_not_helped_by_what_the_method_that_it_calls_may_call(bench: Any) -> None:
    used = serve(bench, ["*"])
    direct: dict[str, Any] = {"method": "test/tool.send", "parameters": {}}
    error = await failure(bench, [{"id": "a", "method": "test/code", "parameters": direct, "calls": ["test/chat"]}])
    assert (error.message, used) == ('task "a" may not call test/tool.send: its `calls` name test/chat', [])


async def test_an_idempotent_method_is_tried_again_unless_nobody_knows_what_became_of_a_call(bench: Any) -> None:
    used = serve(bench, ["test/*"], idempotent=True)
    lost: list[str] = []

    async def wire(parameters: dict[str, Any]) -> Any:
        lost.append("wire")
        if len(lost) == 1:
            raise ConnectionLostError("gone")
        return {}

    bench.method(wire)
    again = {"retry": {"max_attempts": 2}}
    run = await bench.run(chat("wire", **again))
    assert (run.tasks["a"].status, run.tasks["a"].attempts, lost) == ("unknown", 1, ["wire"])
    lost.clear()
    bench.provider.specs["wire"] = MethodSpec("test/wire", idempotent=True)
    run = await bench.run(chat("wire", **again))
    assert (run.tasks["a"].status, run.tasks["a"].attempts, lost) == ("completed", 2, ["wire", "wire"])
    assert used == []


async def test_an_answer_that_was_lost_after_a_call_was_made_is_asked_for_again_without_it(bench: Any) -> None:
    used = serve(bench, ["test/*"], idempotent=True)

    async def chat_once(parameters: dict[str, Any]) -> Any:
        got = await current_task().call("test/tool.send")
        if current_task().attempt == 1:
            raise ConnectionLostError("gone")
        return {"got": got}

    bench.provider.functions["chat"] = chat_once
    run = await bench.run(chat("tool.send", retry={"max_attempts": 2}))
    assert (run.outputs["a"], used) == ({"got": {"used": "tool.send"}}, ["tool.send"])


async def test_the_progress_of_a_call_reaches_whoever_watches_the_run(bench: Any) -> None:
    serve(bench)

    async def talk(_: dict[str, Any]) -> Any:
        await current_task().report_progress(3, 10, "once upon")
        await current_task().report_progress(10, 10, "a time")

    bench.provider.functions["tool.talk"] = talk
    run = await bench.run(chat("tool.talk"))
    told = [(event.task_id, event.data) for event in await bench.events(run.id) if event.kind == "task.progress"]
    assert told == [
        ("a/1", {"done": 3, "total": 10, "message": "once upon"}),
        ("a/1", {"done": 10, "total": 10, "message": "a time"}),
    ]
