"""Streamable HTTP against servers of ours that misbehave, and what becomes of the requests."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.tls import TLSListener
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.providers.mcp.sending import sent

from gleitzeit.core.errors import (
    ConfigurationError,
    ConnectionLostError,
    GleitzeitError,
    LimitError,
    ProviderError,
    ProviderUnavailableError,
)
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.servers.far import far_transport
from gleitzeit_mcp.transports.base import Wire
from gleitzeit_mcp.transports.remote import Remote

pytestmark = pytest.mark.anyio

CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "add"}}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}}
INITIALIZE: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
INITIALIZED: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}
ANSWER: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "result": {"content": []}}
MODERN = {"MCP-Protocol-Version": "2026-07-28"}


class Recorder:
    """Keeps what a transport says."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.failures: dict[int | str, GleitzeitError] = {}
        self.over = anyio.Event()
        self._changed = anyio.Event()

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)
        self._change()

    def failed(self, request_id: int | str, error: GleitzeitError) -> None:
        self.failures[request_id] = error
        self._change()

    def ended(self) -> None:
        self.over.set()
        self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def settled(self, request_id: int | str = 7) -> None:
        with suppress(GleitzeitError):
            await self.answer(request_id)

    async def answer(self, request_id: int | str = 7) -> dict[str, Any]:
        while True:
            for message in self.messages:
                if message.get("id") == request_id:
                    return message
            if request_id in self.failures:
                raise self.failures[request_id]
            await self._changed.wait()


def _read(body: bytes) -> Any:
    if not body or body[:1] in b"{[":
        return json.loads(body) if body else None
    return dict(parse_qsl(body.decode()))  # a form


class Request:
    """One request as it arrived, and the stream to answer it on."""

    def __init__(self, head: str, body: bytes, stream: ByteStream) -> None:
        self.method, self.target, _ = head.split("\r\n", maxsplit=1)[0].split(" ")
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        self.message: Any = _read(body)
        self.stream = stream

    async def reply(self, status: str, body: bytes | str = b"", headers: Mapping[str, str] | None = None) -> None:
        content = body.encode() if isinstance(body, str) else body
        lines = {"Content-Type": "text/plain", "Content-Length": str(len(content)), **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.stream.send(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + content)

    async def reply_json(self, value: Any, status: str = "200 OK", headers: Mapping[str, str] | None = None) -> None:
        await self.reply(status, json.dumps(value), {"Content-Type": "application/json", **(headers or {})})

    async def open_events(self, headers: Mapping[str, str] | None = None) -> None:
        """Begin an event stream that ends with its connection."""
        lines = {"Content-Type": "text/event-stream", "Connection": "close", **(headers or {})}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        await self.stream.send(f"HTTP/1.1 200 OK\r\n{head}\r\n".encode())

    async def event(self, value: Any, extra: str = "") -> None:
        await self.stream.send(f"{extra}data: {json.dumps(value)}\n\n".encode())


Handler = Callable[[Request], Awaitable[object]]


class Far:
    """A server of ours on loopback, by its URL; `connections` counts those that were opened to it."""

    def __init__(self, port: int, scheme: str) -> None:
        self.url = f"{scheme}://127.0.0.1:{port}/mcp"
        self.connections = 0
        self.seen: list[Request] = []


def content_length(head: str) -> int:
    return next((int(line[15:]) for line in head.split("\r\n") if line.lower().startswith("content-length:")), 0)


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncGenerator[Far]:
    """Answer requests by `handler`; it closes the connection by closing the stream."""
    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    far = Far(plain.extra(SocketAttribute.local_port), "https" if context else "http")

    async def serve(stream: ByteStream) -> None:
        far.connections += 1
        buffered = BufferedByteReceiveStream(stream)
        async with stream:
            try:
                while True:
                    head = (await buffered.receive_until(b"\r\n\r\n", 65536)).decode()
                    length = next(
                        (int(line[15:]) for line in head.split("\r\n") if line.lower()[:15] == "content-length:"), 0
                    )
                    request = Request(head, await buffered.receive_exactly(length) if length else b"", stream)
                    far.seen.append(request)
                    await handler(request)
            except (anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError):
                return

    listener = TLSListener(plain, context, standard_compatible=False) if context else plain
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield far
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(url: str, **settings: Any) -> AsyncGenerator[tuple[Wire, Recorder]]:
    """A connection by streamable HTTP, and what it says."""
    recorder = Recorder()
    server = Server.model_validate({"name": "far", "url": url, **settings})
    with anyio.fail_after(20):
        async with far_transport(server).connect(recorder) as wire:
            yield wire, recorder


async def failure_of(handler: Handler, message: dict[str, Any] = CALL, **settings: Any) -> GleitzeitError:
    """The error that one request ends with."""
    async with serving(handler) as far, connected(far.url, **settings) as (wire, recorder):
        await sent(wire.send(message))
        with pytest.raises(GleitzeitError) as failure:
            await recorder.answer(message["id"])
    return failure.value


async def status_failure(status: str, message: dict[str, Any] = CALL, **headers: str) -> GleitzeitError:
    async def handler(request: Request) -> None:
        await request.reply(status, "out of ink", {name.replace("_", "-"): value for name, value in headers.items()})

    return await failure_of(handler, message)


async def test_missing_credentials_are_named_with_the_ways_to_give_them() -> None:
    error = await status_failure("401 Unauthorized")
    assert isinstance(error, ProviderUnavailableError)
    assert (error.retryable, error.ambiguous, error.details["status"]) == (False, False, 401)
    assert "HTTP 401" in error.message
    assert error.hint is not None
    assert "auth_token" in error.hint
    assert "gleitzeit servers login far" in error.hint


def test_the_command_that_logs_in_can_be_pasted_into_a_shell() -> None:
    assert Remote("far away", "http://far").login_command == "gleitzeit servers login 'far away'"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 415])
async def test_a_refusal_is_final_and_carries_what_the_server_said(status: int) -> None:
    error = await status_failure(f"{status} No")
    assert (error.retryable, error.ambiguous, error.details["status"]) == (False, False, status)
    assert "out of ink" in error.message


async def test_too_many_requests_tell_how_long_to_wait() -> None:
    error = await status_failure("429 Too Many Requests", Retry_After="12")
    assert (error.retryable, error.ambiguous, error.details["retry_after"]) == (True, False, 12)
    assert "12 seconds" in error.message


async def test_a_date_to_wait_for_becomes_seconds() -> None:
    then = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=5)
    error = await status_failure("503 Later", Retry_After=then.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    assert 200 < error.details["retry_after"] <= 300
    assert (error.retryable, error.ambiguous) == (True, False)


@pytest.mark.parametrize("asked", ["9" * 400, "86401", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_nobody_waits_for_more_than_a_day(asked: str) -> None:
    assert (await status_failure("429 Too Many Requests", Retry_After=asked)).details["retry_after"] == 86_400


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_server_that_failed_may_have_carried_out_a_call_but_a_list_does_no_harm(status: int) -> None:
    call = await status_failure(f"{status} Oh")
    listing = await status_failure(f"{status} Oh", LIST)
    assert (call.retryable, call.ambiguous) == (True, True)
    assert (listing.retryable, listing.ambiguous) == (True, False)


@pytest.mark.parametrize("depth", [3, 100, 600, 5000])
async def test_a_refusal_that_is_nested_deeply_fails_its_request_alone(depth: int) -> None:
    async def handler(request: Request) -> None:
        if request.message["id"] == 8:
            await request.reply_json({**ANSWER, "id": 8})
        else:
            body = '{"error":' * depth + '"deep"' + "}" * depth
            await request.reply("502 Oh", body, {"Content-Type": "application/json"})

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(CALL))
        with pytest.raises(ProviderError) as failure:
            await recorder.answer()
        await sent(wire.send({**CALL, "id": 8}))
        assert (await recorder.answer(8))["id"] == 8
        assert not recorder.over.is_set()
    assert ("deep" in failure.value.message) == (depth == 3)


async def test_an_answer_that_cannot_be_taken_in_fails_its_request_alone() -> None:
    async def handler(request: Request) -> None:
        await request.reply_json({**ANSWER, "id": request.message["id"]})

    class Odd(Recorder):
        def received(self, message: dict[str, Any]) -> None:
            if message["id"] == 7:
                raise RecursionError("too deep")
            super().received(message)

    recorder = Odd()
    async with serving(handler) as far:
        transport = far_transport(Server.model_validate({"name": "far", "url": far.url}))
        with anyio.fail_after(20):
            async with transport.connect(recorder) as wire:
                await sent(wire.send(CALL))
                with pytest.raises(ProviderError, match="too deep") as failure:
                    await recorder.answer()
                await sent(wire.send({**CALL, "id": 8}))
                await recorder.answer(8)
    assert failure.value.ambiguous


@pytest.mark.parametrize("message", [CALL, INITIALIZED])
async def test_a_connection_that_was_closed_says_so_and_takes_no_more(message: dict[str, Any]) -> None:
    async with serving(lambda request: request.reply("202 Accepted")) as far:
        async with connected(far.url) as (wire, recorder):
            assert not recorder.over.is_set()
        assert recorder.over.is_set()
        with pytest.raises(ConnectionLostError) as failure:
            await sent(wire.send(message))
    assert not failure.value.ambiguous
    assert far.seen == []


async def test_an_error_of_the_protocol_is_an_answer_whatever_its_status() -> None:
    async def handler(request: Request) -> None:
        error = {"code": -32602, "message": "no such tool"}
        await request.reply_json({"jsonrpc": "2.0", "id": None, "error": error}, "400 Bad Request")

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(CALL))
        answer = await recorder.answer()
    assert answer["error"]["message"] == "no such tool"


async def test_a_redirect_to_another_host_is_not_followed_and_its_aim_is_shown_without_its_query() -> None:
    arrived: list[Request] = []

    async def elsewhere(request: Request) -> None:
        arrived.append(request)

    async with serving(elsewhere) as other:

        async def handler(request: Request) -> None:
            await request.reply("307 Go", headers={"Location": f"{other.url}?code=geheim"})

        error = await failure_of(handler, auth_token="t0ken")
    assert arrived == []
    assert other.url in error.message
    assert "geheim" not in error.message
    assert not error.retryable


async def test_a_redirect_within_the_server_is_followed_with_the_whole_message() -> None:
    async def handler(request: Request) -> None:
        if request.target == "/mcp":
            await request.reply("308 Permanent", headers={"Location": "/mcp/"})
        else:
            await request.reply_json({**ANSWER, "result": request.message["params"]})

    async with serving(handler) as far, connected(far.url, auth_token="t0ken") as (wire, recorder):
        await sent(wire.send(CALL))
        answer = await recorder.answer()
    assert answer["result"] == {"name": "add"}
    assert far.seen[-1].headers["authorization"] == "Bearer t0ken"


async def test_a_redirect_in_a_circle_ends() -> None:
    async def handler(request: Request) -> None:
        await request.reply("307 Round", headers={"Location": "/mcp"})

    assert "circle" in (await failure_of(handler)).message


async def test_a_server_that_is_not_there_got_nothing() -> None:
    async with serving(lambda request: request.reply("200 OK")) as far:
        pass
    async with connected(far.url + "?key=geheim") as (wire, recorder):
        await sent(wire.send(CALL))
        with pytest.raises(ProviderUnavailableError) as failure:
            await recorder.answer()
        assert not recorder.over.is_set()
    assert (failure.value.retryable, failure.value.ambiguous) == (True, False)
    assert "connection refused" in failure.value.message
    assert "geheim" not in failure.value.message


async def test_a_connection_that_ends_before_the_answer_leaves_the_call_in_doubt() -> None:
    async def handler(request: Request) -> None:
        await request.stream.aclose()

    error = await failure_of(handler)
    assert isinstance(error, ConnectionLostError)
    assert error.ambiguous


async def test_half_an_answer_is_a_broken_connection() -> None:
    async def handler(request: Request) -> None:
        await request.reply("200 OK", b'{"jsonrpc":', {"Content-Type": "application/json", "Content-Length": "500"})
        await request.stream.aclose()

    assert isinstance(await failure_of(handler), ConnectionLostError)


async def test_an_event_stream_that_ends_before_the_answer_is_a_broken_connection() -> None:
    async def handler(request: Request) -> None:
        await request.open_events()
        await request.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        await request.stream.aclose()

    assert isinstance(await failure_of(handler), ConnectionLostError)


async def test_an_answer_that_is_no_message_is_told_as_such() -> None:
    async def page(request: Request) -> None:
        await request.reply("200 OK", "<html>", {"Content-Type": "text/html"})

    async def junk(request: Request) -> None:
        await request.reply("200 OK", "]junk[", {"Content-Type": "application/json"})

    async def taken(request: Request) -> None:
        await request.reply("202 Accepted")

    assert "text/html" in (await failure_of(page)).message
    assert "not a message" in (await failure_of(junk)).message
    assert not (await failure_of(taken)).retryable


async def test_a_body_of_100_mb_is_given_up_at_the_limit() -> None:
    piece = b"x" * 1_000_000

    async def handler(request: Request) -> None:
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n"
        await request.stream.send(head.encode())
        for _ in range(100):
            await request.stream.send(piece)

    error = await failure_of(handler)
    assert isinstance(error, LimitError)
    assert "64 MiB" in error.message


async def test_an_event_over_the_limit_fails_its_request_alone() -> None:
    async def handler(request: Request) -> None:
        if request.message["id"] == 8:
            await request.reply_json({**ANSWER, "id": 8})
            return
        await request.open_events()
        await request.stream.send(b"data: ")
        for _ in range(70):
            await request.stream.send(b"x" * 1_000_000)

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(CALL))
        with pytest.raises(LimitError):
            await recorder.answer()
        await sent(wire.send({**CALL, "id": 8}))
        assert (await recorder.answer(8))["id"] == 8


async def test_junk_among_events_is_skipped_and_counted() -> None:
    async def handler(request: Request) -> None:
        await request.open_events()
        await request.stream.send(b"event: ping\ndata: 1\n\n: comment\n\ndata: no JSON\n\ndata: [1]\n\n")
        await request.event(ANSWER)
        await request.stream.aclose()

    recorder = Recorder()
    async with serving(handler) as far:
        transport = far_transport(Server.model_validate({"name": "far", "url": far.url}))
        with anyio.fail_after(20):
            async with transport.connect(recorder) as wire:
                await sent(wire.send(CALL))
                assert await recorder.answer() == ANSWER
    assert transport.junk == 2


@pytest.mark.parametrize("streamed", [False, True])
async def test_connections_are_used_again(streamed: bool) -> None:
    async def handler(request: Request) -> None:
        reply = json.dumps({**ANSWER, "id": request.message["id"]})
        if streamed:
            await request.reply("200 OK", f"data: {reply}\n\n", {"Content-Type": "text/event-stream"})
        else:
            await request.reply("200 OK", reply, {"Content-Type": "application/json"})

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        for number in range(10, 20):
            await sent(wire.send({**CALL, "id": number}))
            await recorder.answer(number)
        assert far.connections == 1


async def test_long_calls_do_not_hold_up_others() -> None:
    release = anyio.Event()

    async def handler(request: Request) -> None:
        if request.message["id"] == 7:
            await release.wait()
        await request.reply_json({**ANSWER, "id": request.message["id"]})

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(CALL))
        for number in range(100, 250):
            await sent(wire.send({**CALL, "id": number}))
        for number in range(100, 250):
            await recorder.answer(number)
        release.set()
        await recorder.answer()


async def test_cancelling_closes_the_stream_in_the_modern_era_and_sends_nothing() -> None:
    gone = anyio.Event()

    async def handler(request: Request) -> None:
        await request.open_events()
        await request.event({"jsonrpc": "2.0", "method": "notifications/progress", "params": {}})
        with pytest.raises(anyio.EndOfStream):
            await request.stream.receive()
        gone.set()

    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(CALL, MODERN))
        while not recorder.messages:
            await anyio.lowlevel.checkpoint()
        await sent(wire.send({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}))
        await gone.wait()
        assert len(far.seen) == 1
        assert recorder.failures == {}


async def test_a_request_that_names_its_version_in_its_body_gets_the_headers_that_go_with_it() -> None:
    async def handler(request: Request) -> None:
        await request.reply_json(ANSWER)

    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}
    async with serving(handler) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send({"jsonrpc": "2.0", "id": 7, "method": "server/discover", "params": {"_meta": meta}}))
        await recorder.answer()
    headers = far.seen[0].headers
    assert (headers["mcp-protocol-version"], headers["mcp-method"]) == ("2026-07-28", "server/discover")


class Older:
    """A server of the older era, with a session."""

    def __init__(self) -> None:
        self.forgotten = False
        self.ended = anyio.Event()
        self.listening = anyio.Event()
        self.resumed: list[str | None] = []

    async def __call__(self, request: Request) -> None:
        if request.method == "DELETE":
            self.ended.set()
            await request.reply("200 OK")
        elif request.method == "GET":
            await self.stream(request)
        elif request.message["method"] == "initialize":
            result = {"protocolVersion": "2025-06-18"}
            await request.reply_json({**ANSWER, "id": 1, "result": result}, headers={"Mcp-Session-Id": "s1"})
        elif self.forgotten:
            await request.reply("404 Not Found")
        elif "id" not in request.message:
            await request.reply("202 Accepted")
        else:
            await self.call(request)

    async def stream(self, request: Request) -> None:
        last = request.headers.get("last-event-id")
        await request.open_events()
        if last is None:
            await request.event({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"})
            self.listening.set()
            await anyio.sleep_forever()
        self.resumed.append(last)
        await request.event(ANSWER, "id: 4\n")
        await request.stream.aclose()

    async def call(self, request: Request) -> None:
        await request.open_events()
        await request.stream.send(b"id: 3\nretry: 10\ndata:\n\n")
        await request.stream.aclose()


@asynccontextmanager
async def older_session() -> AsyncGenerator[tuple[Older, Far, Wire, Recorder]]:
    older = Older()
    async with serving(older) as far, connected(far.url) as (wire, recorder):
        await sent(wire.send(INITIALIZE))
        await recorder.answer(1)
        await sent(wire.send(INITIALIZED))
        await older.listening.wait()
        yield older, far, wire, recorder


async def test_a_session_is_kept_listened_to_and_ended() -> None:
    async with older_session() as (older, far, _, recorder):
        while len(recorder.messages) < 2:
            await anyio.lowlevel.checkpoint()
        assert not older.ended.is_set()
        marks = [(seen.headers.get("mcp-session-id"), seen.headers.get("mcp-protocol-version")) for seen in far.seen]
    assert marks == [(None, None), ("s1", "2025-06-18"), ("s1", "2025-06-18")]
    assert older.ended.is_set()


async def test_a_stream_that_broke_is_taken_up_after_its_last_event() -> None:
    async with older_session() as (older, _, wire, recorder):
        await sent(wire.send(CALL))
        assert await recorder.answer() == ANSWER
    assert older.resumed == ["3"]


async def test_a_session_that_the_server_forgot_ends_the_connection_and_the_call_was_not_carried_out() -> None:
    async with older_session() as (older, _, wire, recorder):
        older.forgotten = True
        await sent(wire.send(CALL))
        await recorder.over.wait()
        with pytest.raises(ConnectionLostError):
            await sent(wire.send(LIST))
    error = recorder.failures[7]
    assert isinstance(error, ProviderUnavailableError)
    assert not error.ambiguous


async def test_a_notification_that_does_not_get_through_is_a_lost_connection() -> None:
    async with serving(lambda request: request.reply("200 OK")) as far:
        pass
    async with connected(far.url) as (wire, _):
        with pytest.raises(ConnectionLostError):
            await sent(wire.send(INITIALIZED))


def certificate(folder: Path, *, host: str = "127.0.0.1", days: int = 1) -> ssl.SSLContext:
    """A context for a server whose certificate nobody else signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    alternative = x509.IPAddress(ipaddress.ip_address(host)) if host[0].isdigit() else x509.DNSName(host)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=10))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "certificate.pem").write_bytes(signed.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


async def tls_failure(context: ssl.SSLContext) -> GleitzeitError:
    async with (
        serving(lambda request: request.reply_json(ANSWER), context) as far,
        connected(far.url) as (wire, recorder),
    ):
        await sent(wire.send(CALL))
        with pytest.raises(ProviderUnavailableError) as failure:
            await recorder.answer()
    assert (failure.value.retryable, failure.value.ambiguous) == (False, False)
    return failure.value


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    error = await tls_failure(certificate(tmp_path))
    assert "self-signed" in error.message
    assert error.hint is not None
    assert "SSL_CERT_FILE" in error.hint


@pytest.mark.parametrize(("settings", "reason"), [({"days": -1}, "expired"), ({"host": "example.org"}, "another host")])
async def test_a_certificate_that_is_trusted_still_has_to_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], reason: str
) -> None:
    context = certificate(tmp_path, **settings)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert reason in (await tls_failure(context)).message


async def test_an_authority_of_ones_own_is_trusted_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    async with (
        serving(lambda request: request.reply_json(ANSWER), context) as far,
        connected(far.url) as (wire, recorder),
    ):
        await sent(wire.send(CALL))
        assert await recorder.answer() == ANSWER


async def test_a_server_without_tls_is_named_as_such() -> None:
    async def plain(stream: ByteStream) -> None:
        async with stream:
            await stream.receive()
            await stream.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, plain)
        port = listener.extra(SocketAttribute.local_port)
        async with connected(f"https://127.0.0.1:{port}/mcp") as (wire, recorder):
            await sent(wire.send(CALL))
            with pytest.raises(ProviderUnavailableError) as failure:
                await recorder.answer()
            assert failure.value.hint is not None
            assert "http://" in failure.value.hint
        tasks.cancel_scope.cancel()


@pytest.mark.parametrize("url", ["ftp://x/mcp", "http://", "mcp.example.org", "http://x:99999/"])
async def test_a_url_that_leads_nowhere_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        async with connected(url):
            pass
    assert '"far"' in failure.value.message


@pytest.mark.parametrize("value", ["geheim\n", "ge\r\nheim: x", "gehéim"])
async def test_a_token_that_no_header_can_carry_is_refused_without_being_shown(value: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        async with connected("http://127.0.0.1:1/mcp", auth_token=value):
            pass
    assert "auth_token" in failure.value.message
    assert value not in failure.value.message


async def test_what_a_server_says_of_a_token_is_shown_without_the_token() -> None:
    async def handler(request: Request) -> None:
        await request.reply_json({"error": f"bad {request.headers['authorization']}"}, "403 Forbidden")

    error = await failure_of(handler, auth_token="geheim123")
    assert "bad" in error.message
    assert "geheim123" not in error.message
