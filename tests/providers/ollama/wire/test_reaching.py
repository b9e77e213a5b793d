from __future__ import annotations

import contextlib
import socket
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream
from tests.providers.ollama.wire.http_bytes import Serve, sending, whole

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.wire.client import NodeClient
from gleitzeit_ollama.wire.patience import Patience

pytestmark = pytest.mark.anyio


async def failure(endpoint: str) -> GleitzeitError:
    """The error that asking this server for its version ends in."""
    client = NodeClient(Endpoint.parse(endpoint))
    with anyio.fail_after(5), pytest.raises(GleitzeitError) as caught:
        await client.version()
    await client.aclose()
    return caught.value


async def closed_port() -> int:
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        return int(listener.extra(SocketAttribute.local_port))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_where_nothing_listens_the_error_says_how_to_start_ollama(host: str) -> None:
    error = await failure(f"http://{host}:{await closed_port()}")
    assert isinstance(error, ProviderUnavailableError)
    assert error.retryable
    assert f"no Ollama answers at http://{host}:" in error.message
    assert error.message.endswith("connection refused")
    assert "`ollama serve`" in (error.hint or "")
    assert "GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINT" in (error.hint or "")


async def test_a_host_that_cannot_be_is_told_as_such() -> None:
    error = await failure("http://☃.example")
    assert isinstance(error, ProviderUnavailableError)
    assert "http://☃.example" in error.message
    assert error.details["again"] is False


async def test_a_machine_that_takes_no_connection_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, contextlib.ExitStack() as stack:
        place: tuple[str, int] = server.getsockname()
        for _ in range(4):  # more than its queue holds, so that the kernel answers no further one
            caller = stack.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(place)
        client = NodeClient(Endpoint.parse(f"127.0.0.1:{place[1]}"), connect_timeout=0.05)
        with anyio.fail_after(5), pytest.raises(ProviderUnavailableError, match="no connection in time") as caught:
            await client.version()
        await client.aclose()
    assert caught.value.details["again"] is False


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


async def test_a_host_that_does_not_exist_is_named() -> None:
    error = await failure("http://nowhere.invalid:11434")
    assert isinstance(error, ProviderUnavailableError)
    assert "nowhere.invalid" in error.message
    assert "Errno" not in error.message


async def test_a_base_path_is_kept(serve: Serve) -> None:
    paths: list[str] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        paths.append(path)
        await stream.send(whole("500 Oops", b'{"error":"x"}'))

    await failure(f"{(await serve(script)).replace('127.0.0.1', 'localhost')}/models/")
    assert paths == ["/models/api/version"]


async def test_a_proxy_of_the_environment_is_not_asked_for_loopback(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{await closed_port()}")
    error = await failure(await serve(sending(whole("500 Oops", b'{"error":"directly"}'))))
    assert "directly" in error.message


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
    assert asked == ["http://gpu-box.invalid:11434/api/version"]


async def test_a_proxy_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "ftp://me:secret@proxy")
    with pytest.raises(ProviderUnavailableError, match="ftp://") as caught:
        NodeClient(Endpoint.parse("http://gpu-box.invalid:11434"))
    assert "ALL_PROXY" in (caught.value.hint or "")
    assert "secret" not in caught.value.message
    assert caught.value.details["again"] is False


async def test_a_password_is_sent_and_never_shown(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(whole("403 Forbidden", b'{"error":"who are you?"}'))

    url = (await serve(script)).replace("http://", "http://me:secret@")
    error = await failure(url)
    assert "who are you?" in error.message
    assert "secret" not in f"{error.message} {error.hint} {error.details}"


async def test_after_the_connections_were_closed_nothing_is_sent(serve: Serve) -> None:
    client = NodeClient(Endpoint.parse(await serve(sending(whole("200 OK", b'{"version":"0.33.0"}')))))
    assert await client.version() == "0.33.0"
    await client.aclose()
    with pytest.raises(ProviderUnavailableError, match="shutting down") as caught:
        await client.version()
    assert caught.value.details["again"] is False


async def test_a_connection_that_breaks_in_an_answer_is_lost(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("200 OK", b'{"version":"0.33.0"}')[:-5], then_close=True)))
    assert isinstance(error, ConnectionLostError)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (whole("200 OK", b"<html>Hello</html>", "text/html"), "/api/version gives <html>Hello</html>"),
        (whole("200 OK", b"{}"), "names no version"),
        (whole("404 Not Found", b"404 page not found", "text/plain"), "404 page not found"),
    ],
)
async def test_a_program_without_a_version_of_ollama_is_another_one(serve: Serve, answer: bytes, said: str) -> None:
    error = await failure(await serve(sending(answer)))
    assert isinstance(error, ProviderError)
    assert "is not an Ollama" in error.message
    assert said in error.message
    assert error.details["foreign"]


async def test_a_greeting_is_that_of_ollama(serve: Serve) -> None:
    client = NodeClient(Endpoint.parse(await serve(sending(whole("200 OK", b"Ollama is running", "text/plain")))))
    await client.greet()
    await client.aclose()
    client = NodeClient(Endpoint.parse(await serve(sending(whole("200 OK", b"Welcome", "text/plain")))))
    with pytest.raises(ProviderError, match="is not an Ollama: it greets with Welcome"):
        await client.greet()
    await client.aclose()


async def test_what_is_sent_for_a_task_is_part_of_the_trace_that_its_run_was_asked_for_in() -> None:
    heads: list[bytes] = []

    async def answer(stream: SocketStream) -> None:
        async with stream:
            heads.append(await stream.receive())
            await stream.send(whole("200 OK", b'{"done":true}'))

    trace = f"00-{'1' * 32}-{'2' * 16}-01"
    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, answer)
        client = NodeClient(Endpoint.parse(f"127.0.0.1:{listener.extra(SocketAttribute.local_port)}"))
        leave = enter_task(TaskContext(run_id="r", task_id="a", meta={"traceparent": trace, "tracestate": "x=y"}))
        try:
            await client.post("/api/embed", {"model": "tiny"}, Patience(5, 5))
        finally:
            leave()
        await client.aclose()
        group.cancel_scope.cancel()
    head = heads[0].decode().lower()
    assert f"traceparent: 00-{'1' * 32}-" in head
    assert "tracestate: x=y" in head
