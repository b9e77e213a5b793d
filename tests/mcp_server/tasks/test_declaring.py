"""Who is given a task: nobody who has not declared the extension on the very request, and no client of another era."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.shared.exceptions import MCPError
from mcp.shared.message import SessionMessage
from tests.mcp_server.conftest import Streams, over_pipes
from tests.mcp_server.tasks.task_client import EXTENSION, Data, Tasks, get
from tests.pipe import ENVELOPE, HELLO, modern

from gleitzeit.application import Application

Factory = Callable[[], AbstractAsyncContextManager[Application]]
Serving = Callable[[], AbstractAsyncContextManager[str]]

pytestmark = pytest.mark.anyio

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
NEEDED: Data = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
SLEEP = {"tasks": [{"id": "a", "method": "probe/sleep"}]}
SUBMIT: Data = {"name": "submit_workflow", "arguments": {"workflow": SLEEP, "wait_seconds": 0}}


def declaring(**params: Any) -> Data:
    return {**params, "_meta": {**ENVELOPE, CAPABILITIES: {"extensions": {EXTENSION: {}}}}}


class Host:
    """A client that writes each request by hand."""

    def __init__(self, streams: Streams) -> None:
        self._read, self._write = streams

    async def send(self, message: Data) -> None:
        sent = types.jsonrpc_message_adapter.validate_python({"jsonrpc": "2.0", **message})
        await self._write.send(SessionMessage(sent))

    async def request(self, request_id: int, method: str, params: Data) -> Data:
        await self.send({"id": request_id, "method": method, "params": params})
        async for frame in self._read:
            assert isinstance(frame, SessionMessage)
            answer: Data = frame.message.model_dump(by_alias=True, exclude_unset=True)
            if answer.get("id") == request_id:
                return answer
        raise AssertionError("the connection has ended")


@pytest.fixture
async def host(factory: Factory) -> AsyncGenerator[Host]:
    async with over_pipes(factory) as streams:
        yield Host(streams)


async def test_each_request_speaks_for_itself(host: Host) -> None:
    with anyio.fail_after(15):
        plain = await host.request(1, "tools/call", modern(**SUBMIT))
        task = await host.request(2, "tools/call", declaring(**SUBMIT))
        again = await host.request(3, "tools/call", modern(**SUBMIT))
        found = await host.request(4, "tasks/get", declaring(taskId=task["result"]["taskId"]))
        named: Data = {"taskId": task["result"]["taskId"], "inputResponses": {}}
        refused = [
            await host.request(number, f"tasks/{name}", modern(**named))
            for number, name in enumerate(["get", "update", "cancel"], 5)
        ]
        unheard = await host.request(8, "subscriptions/listen", modern(notifications={"taskIds": ["x"]}))
    for answer in (plain, again):
        assert answer["result"]["resultType"] == "complete"
        assert answer["result"]["structuredContent"]["status"] == "running"
    assert task["result"]["resultType"] == "task"
    assert found["result"]["status"] == "working"
    for answer in (*refused, unheard):
        assert answer["error"]["code"] == -32021
        assert answer["error"]["data"] == NEEDED


async def test_no_client_that_began_with_a_handshake_gets_a_task_whatever_it_declares(host: Host) -> None:
    capabilities: Data = {"extensions": {EXTENSION: {}}, "tasks": {"requests": {"tools": {"call": {}}}}}
    with anyio.fail_after(15):
        begun = await host.request(0, "initialize", {**HELLO, "capabilities": capabilities})
        await host.send({"method": "notifications/initialized"})
        extras: list[Data] = [{"_meta": {CAPABILITIES: capabilities}}, {"task": {"ttl": 60_000}}, {}]
        answers = [
            await host.request(number, "tools/call", {**SUBMIT, **extra}) for number, extra in enumerate(extras, 1)
        ]
        run_id = answers[-1]["result"]["structuredContent"]["run_id"]
        unknown = [
            await host.request(number, method, {"taskId": f"{run_id}.run", "inputResponses": {}})
            for number, method in enumerate(
                ["tasks/get", "tasks/update", "tasks/cancel", "tasks/result", "tasks/list"], 10
            )
        ]
    for answer in answers:
        assert answer["result"]["structuredContent"]["status"] == "running"
        assert "taskId" not in answer["result"]
    assert "extensions" not in begun["result"]["capabilities"]
    assert "tasks" not in begun["result"]["capabilities"]
    assert {answer["error"]["code"] for answer in unknown} == {types.METHOD_NOT_FOUND}


async def test_the_extension_is_offered_in_the_modern_era(host: Host) -> None:
    with anyio.fail_after(15):
        discovered = await host.request(1, "server/discover", modern())
        gone = [
            await host.request(number, f"tasks/{name}", declaring())
            for number, name in enumerate(["list", "result"], 2)
        ]
    assert discovered["result"]["capabilities"]["extensions"] == {EXTENSION: {}}
    assert {answer["error"]["code"] for answer in gone} == {types.METHOD_NOT_FOUND}


@pytest.mark.parametrize("transport", ["http", "sse"])
async def test_a_session_over_http_never_gets_a_task(serving: Serving, transport: str) -> None:
    with anyio.fail_after(15):
        async with serving() as url:
            target: Any = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
            async with Client(target, mode="legacy", extensions=[Tasks()], cache=None) as client:
                result = await client.call_tool("submit_workflow", SUBMIT["arguments"])
                with pytest.raises(MCPError) as refused:
                    await get(client.session, f"{result.structured_content['run_id']}.run")
    assert refused.value.error.code == types.METHOD_NOT_FOUND


async def test_the_routing_header_has_to_name_the_task(serving: Serving) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": declaring(taskId="0123456789abcdef.run")}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tasks/get",
    }
    names: list[Mapping[str, str]] = [{}, {"Mcp-Name": "another"}, {"Mcp-Name": "0123456789abcdef.run"}]
    with anyio.fail_after(15):
        async with serving() as url, httpx2.AsyncClient() as client:
            answers = [await client.post(f"{url}/mcp", json=body, headers={**headers, **name}) for name in names]
    assert [answer.status_code for answer in answers[:2]] == [400, 400]
    assert [answer.json()["error"]["code"] for answer in answers] == [-32020, -32020, types.INVALID_PARAMS]
