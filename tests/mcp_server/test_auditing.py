"""Requests stand in the audit, over each transport and in each era, with what they led to."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

ECHO = {"method": "probe/echo", "parameters": {"text": "hunter2"}}


@pytest.fixture
def log(home: Path) -> Path:
    """The audit that the server keeps; `probe/fail` is denied."""
    settings = "server: {audit: audit/log.jsonl}\npolicy: {deny: [probe/fail]}\n"
    with (home / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(settings)
    return home / "audit" / "log.jsonl"


@pytest.fixture
def near(factory: Factory) -> Connect:
    """A client of a fresh server in this process, for what no transport has to do with."""

    @asynccontextmanager
    async def connected() -> AsyncGenerator[Client]:
        async with open_face(factory) as face, Client(build_server(face)) as client:
            yield client

    return connected


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_bytes().splitlines()]


async def test_a_call_is_told_from_the_request_to_the_method_and_back(
    log: Path, connect: Connect, transport: str
) -> None:
    async with connect() as client:
        answer = await client.call_tool("call_method", ECHO)
        assert not answer.is_error
        assert answer.structured_content is not None
        run_id = answer.structured_content["run_id"]
        told = lines(log)  # all of it, as soon as the answer is there
    assert [line["event"] for line in told] == ["requested", "decided", "ended", "answered"]
    requested, decided, ended, answered = told
    assert (requested["request"], requested["tool"], requested["method"]) == ("tools/call", "call_method", "probe/echo")
    assert {line["caller"] for line in told} == {"local"}
    assert {decided["run_id"], ended["run_id"], answered["run_id"]} == {run_id}
    assert requested["id"] == answered["id"] != decided["id"] == ended["id"]
    assert (decided["decision"], ended["outcome"], answered["outcome"]) == ("allowed", "completed", "completed")
    spoken = "http" if transport == "http" else "sse" if transport == "sse" else "stdio"
    assert requested["transport"] == spoken
    assert "hunter2" not in json.dumps(told)


async def test_a_denied_method_says_who_wanted_it_and_by_which_rule_it_was_denied(log: Path, near: Connect) -> None:
    async with near() as client:
        answer = await client.call_tool("call_method", {"method": "probe/fail", "parameters": {}})
        assert answer.is_error
    requested, answered = lines(log)
    assert requested["method"] == "probe/fail"
    assert (answered["decision"], answered["error"]) == ("denied", "forbidden")
    assert answered["rule"] == 'policy.deny has "probe/fail"'


async def test_lists_are_no_actions_and_reading_is(log: Path, near: Connect) -> None:
    async with near() as client:
        await client.list_tools()
        run = await client.call_tool("call_method", ECHO)
        assert run.structured_content is not None
        uri = f"gleitzeit://runs/{run.structured_content['run_id']}"
        await client.read_resource(uri)
        told = lines(log)
    assert [line["request"] for line in told if line["event"] == "answered"] == ["tools/call", "resources/read"]
    assert told[-1]["resource"] == uri


def in_the_way(log: Path) -> None:
    """Put something in place of the log that not even root could write to."""
    log.rename(log.with_suffix(".1"))
    log.mkdir()


def nothing_in_the_way(log: Path) -> None:
    log.rmdir()


async def test_what_cannot_be_recorded_is_refused_until_it_can_be(log: Path, near: Connect) -> None:
    async with near() as client:
        await client.call_tool("call_method", ECHO)
        in_the_way(log)
        for tool, arguments in (("call_method", ECHO), ("list_runs", {})):
            refused = await client.call_tool(tool, arguments)
            assert refused.is_error
            assert refused.structured_content is not None
            assert refused.structured_content["error"]["code"] == "audit_unavailable"
        nothing_in_the_way(log)
        again = await client.call_tool("call_method", ECHO)
        assert not again.is_error
    assert [line["event"] for line in lines(log)] == ["requested", "decided", "ended", "answered"]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_request_that_is_cancelled_is_told_to_have_been(log: Path, factory: Factory, mode: Any) -> None:
    begun = anyio.Event()

    async def hang(method: str, parameters: dict[str, Any]) -> None:
        begun.set()
        await anyio.sleep_forever()

    async with open_face(factory) as face, Client(build_server(face), mode=mode) as client:
        provider: Any = (await face.application.opened()).registry.provider("probe")
        provider.handle_request = hang
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "call_method", ECHO)
            with anyio.fail_after(10):
                await begun.wait()
            tasks.cancel_scope.cancel()
    ends = {line["event"]: line["outcome"] for line in lines(log) if "outcome" in line}
    assert ends == {"ended": "cancelled", "answered": "cancelled"}
