from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import anyio
import httpx2
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from mcp_types import PROTOCOL_VERSION_META_KEY, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from gleitzeit.core.errors import ConfigurationError
from gleitzeit.mcp_server.address import address_of, listen
from gleitzeit.mcp_server.http import run_http
from gleitzeit.mcp_server.manifest.tools import TOOLS

Serving = Callable[[], AbstractAsyncContextManager[str]]

pytestmark = pytest.mark.anyio

SERVE = """
import os, sys
from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.mcp_server.http import run_http
sys.exit(run_http(lambda: open_application(load_configuration()), host="127.0.0.1", port=0,
                  announce=lambda url: print(url, flush=True)))
"""
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
WAITING = {"id": "b", "depends_on": ["a"], "method": "probe/sleep"}
ENVELOPE = {
    PROTOCOL_VERSION_META_KEY: "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def test_both_eras_are_answered_on_one_sse_connection(serving: Serving) -> None:
    with anyio.fail_after(10):
        async with serving() as url, sse_client(f"{url}/sse") as (read, write):

            async def request(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
                message = JSONRPCRequest(jsonrpc="2.0", id=number, method=method, params=dict(params))
                await write.send(SessionMessage(message))
                async for answer in read:
                    assert isinstance(answer, SessionMessage)
                    if isinstance(answer.message, JSONRPCResponse) and answer.message.id == number:
                        return answer.message.result
                raise AssertionError("the connection ended")

            discovered = await request(1, "server/discover", {"_meta": ENVELOPE})
            initialized = await request(2, "initialize", HELLO)
            await write.send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")))
            legacy = await request(3, "tools/list", {})
            modern = await request(4, "tools/list", {"_meta": ENVELOPE})
    assert "2026-07-28" in discovered["supportedVersions"]
    assert initialized["serverInfo"]["name"] == "gleitzeit"
    assert len(legacy["tools"]) == len(modern["tools"]) == len(TOOLS)


async def test_one_engine_serves_all_connections(serving: Serving) -> None:
    call = {"method": "probe/echo", "parameters": {"text": "one"}}
    with anyio.fail_after(10):
        async with serving() as url:
            async with Client(f"{url}/mcp", cache=None) as first:
                called = await first.call_tool("call_method", call)
            async with Client(sse_client(f"{url}/sse"), mode="legacy", cache=None) as second:
                listed = await second.call_tool("list_runs", {})
    assert called.structured_content["run_id"] == listed.structured_content["runs"][0]["run_id"]


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/?session_id=0", "/healthz"])
async def test_requests_that_were_meant_for_another_server_are_refused(serving: Serving, path: str) -> None:
    with anyio.fail_after(10):
        async with serving() as url, httpx2.AsyncClient() as client:
            rebound = await client.get(url + path, headers={"Host": "evil.example"})
            foreign = await client.get(url + path, headers={"Origin": "https://evil.example"})
    assert rebound.status_code == 421
    assert foreign.status_code == 403


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "127.0.0.1:80@evil.example", 421),
        ("Host", "localhost:x", 421),
        ("Host", "localhost.evil.example:80", 421),
        ("Host", "localhost:9000", 200),  # through a tunnel
        ("Origin", "http://localhost:9000", 403),
        ("Origin", "http://127.0.0.1", 403),
        ("Origin", "null", 403),
    ],
)
async def test_only_its_own_names_and_pages_are_let_in(serving: Serving, header: str, value: str, status: int) -> None:
    with anyio.fail_after(10):
        async with serving() as url, httpx2.AsyncClient() as client:
            assert (await client.get(f"{url}/healthz", headers={header: value})).status_code == status


async def test_health_is_told_without_mcp(serving: Serving) -> None:
    with anyio.fail_after(10):
        async with serving() as url, httpx2.AsyncClient() as client:
            answer = await client.get(f"{url}/healthz", headers={"Origin": url})
    assert answer.json()["status"] == "ok"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.1"])
def test_without_tokens_any_address_but_this_machines_own_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="not an address of this machine alone") as refusal:
        listen(host, 0)
    assert "gleitzeit config token" in (refusal.value.hint or "")


@pytest.mark.parametrize("host", ["example.org", ""])
def test_what_is_no_address_is_refused(host: str) -> None:
    with pytest.raises(ConfigurationError, match="not an address to listen at") as refusal:
        listen(host, 0, guarded=True)
    assert "server.allowed_hosts" in (refusal.value.hint or "")


def test_a_port_that_is_taken_says_so() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="in use") as refusal:
            listen("localhost", other.getsockname()[1])
    assert "another port" in (refusal.value.hint or "")


def test_an_address_is_a_url() -> None:
    with listen("localhost", 0) as listening:
        assert str(address_of(listening)) == f"http://127.0.0.1:{listening.getsockname()[1]}"


def test_an_application_that_cannot_open_ends_the_command() -> None:
    def broken() -> AbstractAsyncContextManager[Any]:
        raise ConfigurationError("no such thing")

    with pytest.raises(ConfigurationError, match="no such thing"):
        run_http(broken, host="127.0.0.1", port=0, announce=lambda _: None)


async def stopped_in_mid_call(process: anyio.abc.Process, number: signal.Signals, client: Client) -> int:
    """The exit code of a server that gets a signal while a call of this client is under way."""
    waits = {"tasks": [{"id": "a", "method": "probe/steps", "parameters": {"count": 1}}, WAITING]}
    told = 0.0

    async def stop(progress: float, total: float | None, message: str | None) -> None:
        nonlocal told
        if not told:
            told = anyio.current_time()
            process.send_signal(number)

    with suppress(MCPError):  # the call gets no answer any more
        await client.call_tool("submit_workflow", {"workflow": waits}, progress_callback=stop)
    code = await process.wait()
    assert anyio.current_time() - told < 2
    return code


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_it_within_two_seconds_although_streams_are_open(
    environment: dict[str, str], number: signal.Signals
) -> None:
    command = [sys.executable, "-c", SERVE]
    with anyio.fail_after(20):
        async with await anyio.open_process(command, env=environment, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            url = (await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 100)).decode()
            async with (
                httpx2.AsyncClient() as client,
                client.stream("GET", f"{url}/sse") as stream,
                Client(f"{url}/mcp", cache=None) as modern,
                modern.listen(tools_list_changed=True),
                Client(f"{url}/mcp", mode="legacy", cache=None) as session,
            ):
                lines = stream.aiter_lines()
                assert await anext(lines) == "event: endpoint"
                await session.list_tools()
                code = await stopped_in_mid_call(process, number, modern)
            said = b"".join([chunk async for chunk in process.stderr])
    assert code == 0
    assert b"Traceback" not in said
    assert os.name == "posix"
