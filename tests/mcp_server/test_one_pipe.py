from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.pipe import ENVELOPE, HELLO, SERVE, Pipe, modern, pipe

from gleitzeit.mcp_server.manifest.tools import TOOLS

pytestmark = pytest.mark.anyio


async def test_discover_then_initialize_then_both_are_answered_on_one_pipe(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            discovered = await host.request(1, "server/discover", modern())
            initialized = await host.initialize(2)
            legacy = await host.request(3, "tools/list")
            newer = await host.request(4, "tools/list", modern())
            echo = {"name": "query_method", "arguments": {"method": "probe/echo", "parameters": {"text": "hi"}}}
            call_modern = await host.request(5, "tools/call", modern(**echo))
            call_legacy = await host.request(6, "tools/call", echo)
    assert "2026-07-28" in discovered["result"]["supportedVersions"]
    assert initialized["result"]["protocolVersion"] == "2025-11-25"
    assert len(legacy["result"]["tools"]) == len(newer["result"]["tools"]) == len(TOOLS)
    assert newer["result"]["resultType"] == "complete"
    for answer in (call_modern, call_legacy):
        assert answer["result"]["structuredContent"]["outputs"] == {"text": "hi"}


async def test_initialize_then_modern_works_too(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            newer = await host.request(1, "server/discover", modern())
            again = await host.request(2, "ping")
    assert "supportedVersions" in newer["result"]
    assert again["result"] == {}


async def test_whatever_a_provider_prints_stays_off_the_wire(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            await host.send(
                {
                    "id": 1,
                    "method": "tools/call",
                    "params": {"name": "call_method", "arguments": {"method": "probe/print"}},
                }
            )
            answer = await host.receive()
            await host.stdin.aclose()
            rest = await host.rest()
    assert answer["result"]["structuredContent"]["outputs"] == {"child_read": 0}
    assert rest == b""


async def test_garbage_is_answered_and_the_server_goes_on(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.line(b"this is no JSON")
            parse = await host.receive()
            await host.line(b'\xff\xfe{"jsonrpc"')
            binary = await host.receive()
            await host.line(b"[1, 2]")
            batch = await host.receive()
            await host.line(b'{"jsonrpc": "2.0", "id": 7, "method": 5}')
            shape = await host.receive()
            await host.line(b'{"jsonrpc": "2.0", "id": 8, "result": 5}')
            await host.line(b"")
            await host.line(b"[" * 100_000)
            deep = await host.receive()
            await host.initialize()
            tools = await host.request(1, "tools/list")
    assert parse["error"]["code"] == binary["error"]["code"] == deep["error"]["code"] == -32700
    assert parse["id"] is None
    assert batch["error"]["code"] == shape["error"]["code"] == -32600
    assert shape["id"] == 7
    assert tools["result"]["tools"]


async def test_a_request_before_the_handshake_is_refused_and_the_handshake_still_works(
    environment: dict[str, str],
) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            early = await host.request(1, "tools/list")
            await host.initialize(2)
            tools = await host.request(3, "tools/list")
    assert "error" in early
    assert tools["result"]["tools"]


async def test_a_host_that_leaves_while_it_is_asked_is_told_nothing_of_that(environment: dict[str, str]) -> None:
    ask = {"method": "probe/ask", "parameters": {"message": "How old?"}}
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.request(0, "initialize", {**HELLO, "capabilities": {"elicitation": {}}})
            await host.send({"method": "notifications/initialized"})
            await host.send({"id": 1, "method": "tools/call", "params": {"name": "call_method", "arguments": ask}})
            asked = await host.receive()
            await host.stdin.aclose()
            rest = await host.rest()
    assert asked["method"] == "elicitation/create"
    assert b"notifications/cancelled" not in rest


async def test_an_unknown_tool_names_the_nearest(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            answer = await host.request(1, "tools/call", {"name": "submit_workfow", "arguments": {}})
    assert answer["error"]["code"] == -32602
    assert "submit_workflow" in answer["error"]["message"]


async def test_a_quick_call_is_answered_although_the_host_has_hung_up(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            await host.call(1, "search_methods", query="echo")
            arguments = {"method": "probe/echo", "parameters": {"text": "bye"}}
            await host.send(
                {"id": 2, "method": "tools/call", "params": {"name": "call_method", "arguments": arguments}}
            )
            await host.stdin.aclose()
            answer = await host.answer(2)
            code = await host.process.wait()
    assert answer["result"]["structuredContent"]["outputs"] == {"text": "bye"}
    assert code == 0


async def test_the_end_of_input_stops_a_call_in_flight_within_two_seconds(
    environment: dict[str, str], tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            await _sleep(host, mark)
            await host.stdin.aclose()
            with anyio.fail_after(2):
                answer = await host.answer(2)
                code = await host.process.wait()
    assert "error" in answer
    assert code == 0
    assert mark.read_text() == "stopped"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_within_two_seconds_although_the_host_is_still_there(
    environment: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    mark = tmp_path / "mark"
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            await _sleep(host, mark)
            host.process.send_signal(number)
            with anyio.fail_after(2):
                code = await host.process.wait()
    assert code == 0
    assert mark.read_text() == "stopped"


async def test_a_host_that_stops_reading_does_not_keep_it_alive(environment: dict[str, str]) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            for request_id in range(1, 40):
                await host.send({"id": request_id, "method": "tools/list"})
            await host.stdin.aclose()
            with anyio.fail_after(3):
                await host.process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it can't be seen that a host has hung up")
@pytest.mark.parametrize("last", [{"id": 0, "method": "initialize", "params": HELLO}, "no message"])
async def test_a_host_that_hangs_up_before_it_has_read_an_answer_does_not_keep_it_alive(
    environment: dict[str, str], last: Any
) -> None:
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            for request_id in range(1, 40):
                await host.send({"id": request_id, "method": "tools/list", "params": modern()})
            await (host.line(last.encode()) if isinstance(last, str) else host.send(last))
            await host.stdin.aclose()
            with anyio.fail_after(4):
                await host.process.wait()


def test_complaints_that_nobody_reads_are_no_crash(environment: dict[str, str]) -> None:
    each = subprocess.PIPE
    with subprocess.Popen(SERVE, env=environment, stdin=each, stdout=each, stderr=each) as host:
        assert host.stdin is not None
        assert host.stdout is not None
        assert host.stderr is not None
        host.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": HELLO}).encode())
        host.stdin.write(b"\n")
        host.stdin.flush()
        host.stdout.readline()
        host.stdout.close()
        host.stdin.write(b"x\ny\nz\n")
        host.stdin.flush()
        assert host.wait(5) == 0
        assert b"Traceback" not in host.stderr.read()


@pytest.mark.parametrize("envelope", [{}, {"_meta": ENVELOPE}], ids=["handshake", "modern"])
async def test_a_call_that_is_cancelled_in_one_piece_with_it_is_not_carried_out(
    environment: dict[str, str], tmp_path: Path, envelope: dict[str, Any]
) -> None:
    mark = tmp_path / "mark"
    arguments = {"method": "probe/sleep", "parameters": {"mark": str(mark)}}
    params = {"name": "call_method", "arguments": arguments, **envelope}
    messages: list[dict[str, Any]] = [
        {"id": 2, "method": "tools/call", "params": params},
        {"method": "notifications/cancelled", "params": {"requestId": 2}},
    ]
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            await host.call(1, "list_runs")
            await host.line(b"\n".join(json.dumps({"jsonrpc": "2.0", **message}).encode() for message in messages))
            runs = await host.call(3, "list_runs")
    assert runs["structuredContent"]["runs"] == []
    assert not mark.exists()


@pytest.mark.parametrize("envelope", [{}, {"_meta": ENVELOPE}], ids=["handshake", "modern"])
async def test_cancelling_the_request_of_a_method_stops_the_method(
    environment: dict[str, str], tmp_path: Path, envelope: dict[str, Any]
) -> None:
    mark = tmp_path / "mark"
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            run_id = await _sleep(host, mark, **envelope)
            await host.send({"method": "notifications/cancelled", "params": {"requestId": 2}})
            ended = await host.call(3, "inspect_run", run_id=run_id, wait_seconds=5)
    assert ended["structuredContent"]["status"] == "cancelled"
    assert mark.read_text() == "stopped"


@pytest.mark.parametrize("envelope", [{}, {"_meta": ENVELOPE}], ids=["handshake", "modern"])
async def test_cancelling_the_request_that_submitted_a_workflow_leaves_the_run_alone(
    environment: dict[str, str], envelope: dict[str, Any]
) -> None:
    arguments = {"workflow": {"tasks": [{"id": "a", "method": "probe/sleep"}]}, "wait_seconds": 45}
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            params = {"name": "submit_workflow", "arguments": arguments, **envelope}
            await host.send({"id": 2, "method": "tools/call", "params": params})
            run_id = await _running(host)
            await host.send({"method": "notifications/cancelled", "params": {"requestId": 2}})
            later = await host.call(3, "inspect_run", run_id=run_id, wait_seconds=0.2)
    assert later["structuredContent"]["status"] == "running"


async def test_a_configuration_that_is_wrong_is_told_by_every_call(environment: dict[str, str], home: Path) -> None:
    (home / "config.yaml").write_text("enginee: {}\n", encoding="utf-8")
    with anyio.fail_after(15):
        async with pipe(environment) as host:
            await host.initialize()
            first = await host.call(1, "list_runs")
            second = await host.call(2, "search_methods")
            tools = await host.request(3, "tools/list")
    for result in (first, second):
        assert result["isError"] is True
        assert "engine" in result["content"][0]["text"]
    assert tools["result"]["tools"]


async def _sleep(host: Pipe, mark: Path, **envelope: Any) -> str:
    """Have a method wait for ever, and return its run once it does; the request has the id 2."""
    arguments = {"method": "probe/sleep", "parameters": {"mark": str(mark)}, "timeout_seconds": 45}
    params = {"name": "call_method", "arguments": arguments, **envelope}
    await host.send({"id": 2, "method": "tools/call", "params": params})
    return await _running(host)


async def _running(host: Pipe) -> str:
    """The id of the first run, once its task is under way."""
    request_id = 100
    while True:
        request_id += 1
        found = await host.call(request_id, "list_runs", status="running")
        for run in found["structuredContent"]["runs"]:
            events = await host.call(request_id + 1000, "inspect_run", run_id=run["run_id"], detail="events")
            if "task.started" in [event["kind"] for event in events["structuredContent"]["events"]]:
                return str(run["run_id"])
