from __future__ import annotations

import contextlib
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from gleitzeit.core.errors import (
    GleitzeitError,
    ProviderUnavailableError,
)
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.chat import CHAT
from gleitzeit_ollama.endpoint import Endpoint
from gleitzeit_ollama.retries import pause
from gleitzeit_ollama.wire import Wire

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Serve = Callable[[Script], Awaitable[str]]

JSON_TYPE = "application/json; charset=utf-8"


def whole(status: str, body: bytes, kind: str = JSON_TYPE) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def sending(data: bytes) -> Script:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(data)

    return script


async def failure(endpoint: str, **settings: Any) -> GleitzeitError:
    """The error that a chat with this server ends in."""
    provider = OllamaProvider("ollama", {"endpoint": endpoint, "max_retries": 0, **settings})
    await provider.initialize()
    with anyio.fail_after(5), pytest.raises(GleitzeitError) as caught:
        await provider.handle_request(CHAT, {"messages": "hi", "model": "llama3.1"})
    await provider.shutdown()
    return caught.value


async def closed_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        return int(listener.extra(SocketAttribute.local_port))


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_where_nothing_listens_the_error_says_how_to_start_ollama(host: str) -> None:
    error = await failure(f"http://{host}:{await closed_port()}")
    assert isinstance(error, ProviderUnavailableError)
    assert error.retryable
    assert f"no Ollama answers at http://{host}:" in error.message
    assert error.message.endswith("connection refused")
    assert "`ollama serve`" in (error.hint or "")
    assert "GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINT" in (error.hint or "")


@pytest.mark.anyio
async def test_a_machine_that_takes_no_connection_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        place: tuple[str, int] = server.getsockname()
        for _ in range(4):  # more than its queue holds, so that the kernel answers no further one
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(place)
        wire = Wire(Endpoint.parse(f"127.0.0.1:{place[1]}"), max_connections=1, connect_timeout=0.05)
        with anyio.fail_after(5), pytest.raises(ProviderUnavailableError, match="no connection in time") as caught:
            await wire.version()
        await wire.aclose()
    assert pause(caught.value, 1, 3) is None


@pytest.mark.anyio
async def test_an_address_of_ip_version_6_is_reached() -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    try:
        listener = await anyio.create_tcp_listener(local_host="::1")
    except OSError as error:
        pytest.skip(f"this machine has no IPv6 loopback: {error}")
    async with listener, anyio.create_task_group() as group:

        async def answer(stream: SocketStream) -> None:
            async with stream:
                await stream.receive()
                await stream.send(whole("500 Oops", b'{"error":"by IPv6"}'))

        group.start_soon(listener.serve, answer)
        port = listener.extra(SocketAttribute.local_port)
        assert "by IPv6" in (await failure(f"http://[::1]:{port}")).message
        group.cancel_scope.cancel()


@pytest.mark.anyio
async def test_a_host_that_does_not_exist_is_named() -> None:
    error = await failure("http://nowhere.invalid:11434")
    assert isinstance(error, ProviderUnavailableError)
    assert "nowhere.invalid" in error.message


@pytest.mark.anyio
async def test_a_base_path_is_kept(serve: Serve) -> None:
    paths: list[str] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        paths.append(path)
        await stream.send(whole("500 Oops", b'{"error":"x"}'))

    await failure(f"{(await serve(script)).replace('127.0.0.1', 'localhost')}/models/")
    assert paths == ["/models/api/chat"]


@pytest.mark.anyio
async def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await closed_port()}")
    error = await failure(await serve(sending(whole("500 Oops", b'{"error":"directly"}'))))
    assert "directly" in error.message


@pytest.mark.anyio
async def test_a_proxy_of_the_environment_is_asked_for_other_machines(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        asked.append(path)
        await stream.send(whole("500 Oops", b'{"error":"by proxy"}'))

    for name in ("NO_PROXY", "no_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", await serve(script))
    error = await failure("http://gpu-box.invalid:11434")
    assert "by proxy" in error.message
    assert asked == ["http://gpu-box.invalid:11434/api/chat"]


@pytest.mark.anyio
async def test_health_tells_the_version_or_what_is_wrong(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(whole("200 OK", b'{"version":"0.33.0"}' if path == "/api/version" else b"{}"))

    healthy = await OllamaProvider("ollama", {"endpoint": await serve(script)}).health_check()
    assert (healthy["status"], healthy["version"]) == ("healthy", "0.33.0")
    foreign = await OllamaProvider(
        "ollama", {"endpoint": await serve(sending(whole("200 OK", b"<html>", "text/html")))}
    ).health_check()
    assert foreign["status"] == "unhealthy"
    assert "is not an Ollama" in foreign["error"]
    absent = await OllamaProvider("ollama", {"endpoint": f"127.0.0.1:{await closed_port()}"}).health_check()
    assert absent["status"] == "unhealthy"
    assert "ollama serve" in absent["hint"]
