"""Servers that are reached by a WebSocket; their side of it stands in this file alone."""

from __future__ import annotations

import json
import runpy
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from mcp.server import MCPServer
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter
from tests.providers.mcp.sending import sent
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from gleitzeit.core.errors import ConfigurationError, ConnectionLostError, GleitzeitError, ProviderUnavailableError
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.transports.remote import Remote
from gleitzeit_mcp.transports.websocket import WebSocketTransport, WebSocketWire

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
Talk = Callable[[ServerConnection], Awaitable[None]]

FAULTS = runpy.run_path(str(Path(__file__).with_name("test_http_faults.py")))
certificate: Callable[..., ssl.SSLContext] = FAULTS["certificate"]
TOOLBOX = Path(__file__).parent / "servers" / "sdk_toolbox.py"
CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {}}
ANSWER: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "result": {}}


class Recorder:
    """Keeps what a transport says."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.failures: dict[int | str, GleitzeitError] = {}
        self.came = anyio.Event()
        self.over = anyio.Event()

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self.came.set()

    def failed(self, request_id: int | str, error: GleitzeitError) -> None:
        self.failures[request_id] = error

    def ended(self) -> None:
        self.over.set()


@asynccontextmanager
async def listening(talk: Talk, **settings: Any) -> AsyncGenerator[str]:
    """The URL of a server that does this with each connection."""
    settings = {"subprotocols": [Subprotocol("mcp")], "max_size": None, "close_timeout": 1, **settings}
    async with serve(talk, "127.0.0.1", 0, **settings) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/mcp"


@asynccontextmanager
async def connected(url: str, **settings: Any) -> AsyncGenerator[tuple[WebSocketWire, Recorder, WebSocketTransport]]:
    """A connection, and what it says."""
    recorder = Recorder()
    transport = WebSocketTransport(Remote("far", url), **settings)
    with anyio.fail_after(20):
        async with transport.connect(recorder) as wire:
            yield wire, recorder, transport


async def refusal(url: str, **settings: Any) -> GleitzeitError:
    with pytest.raises(GleitzeitError) as failure:
        async with connected(url, **settings):
            pass
    return failure.value


async def answer(socket: ServerConnection) -> None:
    async for frame in socket:
        await socket.send(json.dumps({**ANSWER, "id": json.loads(frame)["id"]}))


async def speak_mcp(socket: ServerConnection) -> None:
    """Let the SDK's server talk on a socket."""
    toolbox: MCPServer = runpy.run_path(str(TOOLBOX))["server"]
    server = toolbox._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # there is no other way to it
    to_server, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_server = anyio.create_memory_object_stream[SessionMessage](0)

    async def read() -> None:
        async with to_server:
            try:
                async for frame in socket:
                    message = jsonrpc_message_adapter.validate_json(frame, by_name=False)
                    await to_server.send(SessionMessage(message))
            except (ConnectionClosed, anyio.BrokenResourceError):
                return

    async def write() -> None:
        async with from_server:
            async for message in from_server:
                try:
                    await socket.send(message.message.model_dump_json(by_alias=True, exclude_unset=True))
                except ConnectionClosed:
                    return

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(write)
        await server.run(incoming, outgoing, server.create_initialization_options())
        tasks.cancel_scope.cancel()
    for stream in (to_server, incoming, outgoing, from_server):
        stream.close()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_are_called_in_both_eras(open_hub: OpenHub, mode: str) -> None:
    with anyio.fail_after(30):
        async with (
            listening(speak_mcp) as url,
            open_hub({"name": "far", "connection_type": "websocket", "url": url, "mode": mode}) as hub,
        ):
            assert (await hub.handle_request("mcp/tool.far.add", {"a": 2, "b": 3}))["sum"] == 5
            (shown,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert (shown["state"], shown["transport"]) == ("ready", "websocket")


async def test_messages_go_both_ways_under_the_name_of_the_protocol() -> None:
    agreed: list[str | None] = []

    async def talk(socket: ServerConnection) -> None:
        agreed.append(socket.subprotocol)
        await answer(socket)

    async with listening(talk) as url, connected(url) as (wire, recorder, _):
        await sent(wire.send(CALL))
        await recorder.came.wait()
        assert not recorder.over.is_set()
    assert recorder.messages == [ANSWER]
    assert agreed == ["mcp"]


async def test_a_connection_that_was_closed_says_so_and_takes_no_more() -> None:
    async with listening(answer) as url:
        async with connected(url) as (wire, recorder, _):
            assert not recorder.over.is_set()
        assert recorder.over.is_set()
        with pytest.raises(ConnectionLostError) as failure:
            await sent(wire.send(CALL))
    assert not failure.value.ambiguous


async def test_a_message_that_cannot_be_taken_in_ends_the_connection_in_order() -> None:
    class Odd(Recorder):
        def received(self, message: dict[str, Any]) -> None:
            raise RecursionError("too deep")

    recorder = Odd()
    async with listening(answer) as url:
        transport = WebSocketTransport(Remote("far", url))
        with anyio.fail_after(20):
            async with transport.connect(recorder) as wire:
                await sent(wire.send(CALL))
                await recorder.over.wait()
    assert "too deep" in transport.diagnosis()


async def test_headers_are_sent_with_the_handshake() -> None:
    seen: list[str | None] = []

    async def talk(socket: ServerConnection) -> None:
        assert socket.request is not None
        seen.append(socket.request.headers.get("Authorization"))

    async with listening(talk) as url, connected(url, headers={"Authorization": "Bearer t0ken"}) as (_, recorder, _t):
        await recorder.over.wait()
    assert seen == ["Bearer t0ken"]


async def test_frames_that_are_no_messages_are_counted_and_skipped() -> None:
    async def talk(socket: ServerConnection) -> None:
        for junk in ("no JSON", b"\x00\x01", "[1]", '"text"', "[" * 100_000):
            await socket.send(junk)
        await answer(socket)

    async with listening(talk) as url, connected(url) as (wire, recorder, transport):
        await sent(wire.send(CALL))
        await recorder.came.wait()
    assert recorder.messages == [ANSWER]
    assert transport.junk == 5


async def test_a_message_over_the_limit_ends_the_connection_and_says_so() -> None:
    async def talk(socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await socket.send('"' + "x" * (65 * 1024 * 1024) + '"')
            await socket.wait_closed()

    async with listening(talk, compression=None) as url, connected(url) as (_, recorder, transport):
        await recorder.over.wait()
    assert "more than 64 MiB" in transport.diagnosis()


async def test_a_large_message_within_the_limit_arrives() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.send(json.dumps({**ANSWER, "result": {"text": "x" * (10 * 1024 * 1024)}}))
        await socket.wait_closed()

    async with listening(talk, compression=None) as url, connected(url) as (_, recorder, _t):
        await recorder.came.wait()
    assert len(recorder.messages[0]["result"]["text"]) == 10 * 1024 * 1024


async def test_a_server_that_closes_ends_the_connection_with_its_reason() -> None:
    async def talk(socket: ServerConnection) -> None:
        await socket.close(1012, "back soon")

    async with listening(talk) as url, connected(url) as (wire, recorder, transport):
        await recorder.over.wait()
        with pytest.raises(ConnectionLostError):
            await sent(wire.send(CALL))
        assert "restarting (code 1012): back soon" in transport.diagnosis()


async def test_a_socket_that_breaks_ends_the_connection() -> None:
    async def talk(socket: ServerConnection) -> None:
        socket.transport.abort()

    async with listening(talk) as url, connected(url) as (_, recorder, transport):
        await recorder.over.wait()
    assert "broke" in transport.diagnosis()


async def test_a_peer_that_is_dead_is_noticed() -> None:
    async def talk(socket: ServerConnection) -> None:
        socket.transport.pause_reading()  # as behind a cable that was pulled out
        await finished.wait()

    finished = anyio.Event()
    async with listening(talk) as url, connected(url, ping_every=0.05, pong_within=0.1) as (_, recorder, transport):
        await recorder.over.wait()
        finished.set()
    assert "did not answer a ping" in transport.diagnosis()


@pytest.mark.parametrize(
    ("status", "retryable", "words"),
    [
        (401, False, "credentials"),
        (403, False, "allow"),
        (404, False, "nothing at its url"),
        (503, True, "not available"),
    ],
)
async def test_a_handshake_that_is_refused_says_why(status: int, retryable: bool, words: str) -> None:
    def refuse(socket: ServerConnection, request: Request) -> Response:
        return socket.respond(HTTPStatus(status), "geheim")

    async with listening(answer, process_request=refuse) as url:
        error = await refusal(url + "?key=geheim")
    assert isinstance(error, ProviderUnavailableError)
    assert (error.retryable, error.ambiguous, error.details["status"]) == (retryable, False, status)
    assert words in error.message
    assert "geheim" not in error.message


async def test_a_redirect_is_not_followed() -> None:
    seen: list[str] = []

    async def elsewhere(socket: ServerConnection) -> None:
        seen.append("came")

    async with listening(elsewhere) as other:

        def redirect(socket: ServerConnection, request: Request) -> Response:
            response = socket.respond(HTTPStatus.TEMPORARY_REDIRECT, "")
            response.headers["Location"] = other
            return response

        async with listening(answer, process_request=redirect) as url:
            error = await refusal(url, headers={"Authorization": "Bearer t0ken"})
    assert other in error.message
    assert seen == []


async def test_a_redirect_to_an_address_that_cannot_be_read_is_told_as_such() -> None:
    def redirect(socket: ServerConnection, request: Request) -> Response:
        response = socket.respond(HTTPStatus.TEMPORARY_REDIRECT, "")
        response.headers["Location"] = "ws://["
        return response

    async with listening(answer, process_request=redirect) as url:
        assert "cannot be read" in (await refusal(url)).message


async def test_nobody_there_is_a_refused_connection() -> None:
    async with listening(answer) as url:
        pass
    error = await refusal(url)
    assert isinstance(error, ProviderUnavailableError)
    assert "connection refused" in error.message


async def test_a_server_that_speaks_no_websocket_cannot_be_reached() -> None:
    async def babble(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"220 mail.example.org\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, babble)
        error = await refusal(f"ws://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/")
        assert isinstance(error, ProviderUnavailableError)
        tasks.cancel_scope.cancel()


async def test_an_address_that_is_none_is_refused() -> None:
    assert isinstance(await refusal("ws://"), ConfigurationError)


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    async with listening(answer, ssl=certificate(tmp_path)) as url:
        error = await refusal(url.replace("ws:", "wss:"))
    assert "self-signed" in error.message
    assert not error.retryable


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    async with listening(answer, ssl=context) as url, connected(url.replace("ws:", "wss:")) as (wire, recorder, _):
        await sent(wire.send(CALL))
        await recorder.came.wait()


def test_oauth_is_not_for_websockets() -> None:
    with pytest.raises(ValueError, match="http and sse"):
        Server.model_validate({"name": "far", "connection_type": "websocket", "url": "ws://x", "oauth": True})
