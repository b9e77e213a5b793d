from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    LimitError,
    ProviderError,
    ValidationError,
)
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.chat import CHAT

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Serve = Callable[[Script], Awaitable[str]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TOKEN = b'{"model":"tiny","message":{"role":"assistant","content":"hi"},"done":false}\n'
DONE = b'{"model":"tiny","message":{"role":"assistant","content":""},"done_reason":"stop","done":true}\n'
JSON_TYPE = "application/json; charset=utf-8"
TAGS = json.dumps({"models": [{"name": "gemma3:270m"}, {"name": "llama3.2:latest"}]}).encode()


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: str, body: bytes, kind: str = JSON_TYPE) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def sending(*data: bytes, then_close: bool = False, tags: bytes = TAGS) -> Script:
    """Answers every chat with these bytes, and lists two models."""

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(b"".join(data) if path == "/api/chat" else whole("200 OK", tags))
        if then_close:
            await stream.aclose()

    return script


def streaming(*lines: bytes) -> Script:
    return sending(HEAD, *(chunk(line) for line in lines), END)


async def failure(endpoint: str, **settings: Any) -> GleitzeitError:
    """The error that a chat with this server ends in."""
    provider = OllamaProvider("ollama", {"endpoint": endpoint, "max_retries": 0, **settings})
    await provider.initialize()
    with anyio.fail_after(5), pytest.raises(GleitzeitError) as caught:
        await provider.handle_request(CHAT, {"messages": "hi", "model": "llama3.1"})
    await provider.shutdown()
    return caught.value


@pytest.mark.anyio
@pytest.mark.parametrize(
    "words", ['model \\"llama3.1\\" not found, try pulling it first', "model 'llama3.1' not found"]
)
async def test_a_missing_model_is_named_with_those_there_are(serve: Serve, words: str) -> None:
    error = await failure(await serve(sending(whole("404 Not Found", f'{{"error":"{words}"}}'.encode()))))
    assert isinstance(error, ProviderError)
    assert not error.retryable
    assert 'no model "llama3.1"' in error.message
    assert "gemma3:270m, llama3.2:latest" in error.message
    assert "ollama pull llama3.1" in (error.hint or "")
    assert error.details["installed"] == ["gemma3:270m", "llama3.2:latest"]


@pytest.mark.anyio
async def test_a_server_without_models_says_so(serve: Serve) -> None:
    script = sending(whole("404 Not Found", b'{"error":"model not found"}'), tags=b'{"models":[]}')
    assert "it has no models" in (await failure(await serve(script))).message


@pytest.mark.anyio
@pytest.mark.parametrize(
    "answer",
    [
        whole("404 Not Found", b"404 page not found", "text/plain"),
        whole("404 Not Found", b'{"detail":"Not Found"}'),
        whole("405 Method Not Allowed", b""),
        whole("200 OK", b"<html><body>Welcome</body></html>", "text/html"),
        whole("200 OK", b"[1,2]"),
        whole("400 Bad Request", b"Client sent an HTTP request to an HTTPS server.", "text/plain"),
        b"HTTP/1.1 301 Moved Permanently\r\nLocation: https://elsewhere/api/chat\r\nContent-Length: 0\r\n\r\n",
    ],
)
async def test_another_program_on_the_port_is_told_from_ollama(serve: Serve, answer: bytes) -> None:
    error = await failure(await serve(sending(answer)))
    assert isinstance(error, ProviderError)
    assert not error.retryable
    assert "is not an Ollama" in error.message
    assert "endpoint" in (error.hint or "")


@pytest.mark.anyio
async def test_a_json_service_that_has_no_models_is_no_ollama(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(whole("404 Not Found", b'{"error":"Unexpected endpoint or method."}'))

    error = await failure(await serve(script))
    assert not error.retryable
    assert "llama3.1" not in error.message


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [
        ("400 Bad Request", ValidationError, False),
        ("401 Unauthorized", ProviderError, False),
        ("403 Forbidden", ProviderError, False),
        ("413 Payload Too Large", LimitError, False),
        ("418 I'm a teapot", ProviderError, False),
        ("429 Too Many Requests", ProviderError, True),
        ("499 Client Closed Request", ProviderError, True),
        ("500 Internal Server Error", ProviderError, True),
        ("502 Bad Gateway", ProviderError, True),
        ("503 Service Unavailable", ProviderError, True),
    ],
)
async def test_a_status_says_whether_trying_again_can_help(
    serve: Serve, status: str, kind: type[GleitzeitError], retryable: bool
) -> None:
    error = await failure(await serve(sending(whole(status, b'{"error":"llama runner: out of luck"}'))))
    assert type(error) is kind
    assert error.retryable is retryable
    assert "out of luck" in error.message
    assert error.details["status"] == int(status[:3])


@pytest.mark.anyio
async def test_a_proxy_that_wants_a_password_is_no_foreign_program(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("401 Unauthorized", b"<h1>Sign in</h1>", "text/html"))))
    assert not error.retryable
    assert "answered 401: <h1>Sign in</h1>" in error.message
    assert "user:password@host" in (error.hint or "")


@pytest.mark.anyio
async def test_a_proxy_that_lost_its_server_is_quoted(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("502 Bad Gateway", b"<h1>Bad\n Gateway</h1>", "text/html"))))
    assert error.retryable
    assert "answered 502: <h1>Bad Gateway</h1>" in error.message


@pytest.mark.anyio
@pytest.mark.parametrize("before", [(), (TOKEN,)], ids=["first line", "in the middle"])
async def test_an_error_in_the_stream_is_an_error(serve: Serve, before: tuple[bytes, ...]) -> None:
    error = await failure(await serve(streaming(*before, b'{"error":"unexpected EOF"}\n')))
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "unexpected EOF" in error.message


@pytest.mark.anyio
async def test_a_stream_that_ends_without_done_is_no_answer(serve: Serve) -> None:
    error = await failure(await serve(streaming(TOKEN, TOKEN)))
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "ended before done" in error.message
    assert "repeat_penalty" in (error.hint or "")


@pytest.mark.anyio
async def test_an_empty_answer_is_no_answer(serve: Serve) -> None:
    assert "ended before done" in (await failure(await serve(streaming()))).message


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sent",
    [
        (),
        (HEAD,),
        (HEAD, chunk(TOKEN)),
        (HEAD, chunk(TOKEN + TOKEN[:20])),
        (b"HTTP/1.1 200 OK\r\n\r\n" + TOKEN + TOKEN[:20],),
        (HEAD[:30],),
    ],
    ids=["nothing", "head", "token", "cut line", "cut line without length", "cut head"],
)
async def test_a_connection_that_breaks_is_lost(serve: Serve, sent: tuple[bytes, ...]) -> None:
    error = await failure(await serve(sending(*sent, then_close=True)))
    assert isinstance(error, ConnectionLostError)
    assert error.retryable


@pytest.mark.anyio
async def test_garbage_instead_of_http_is_an_error_of_ours(serve: Serve) -> None:
    error = await failure(await serve(sending(b"SSH-2.0-OpenSSH_9.2\r\n", then_close=True)))
    assert isinstance(error, ConnectionLostError)


@pytest.mark.anyio
async def test_a_giant_line_is_refused(serve: Serve) -> None:
    error = await failure(await serve(sending(HEAD, chunk(TOKEN), *[chunk(b"x" * 2**20)] * 17)))
    assert isinstance(error, LimitError)


@pytest.mark.anyio
async def test_a_server_that_never_answers_is_given_up(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.receive()

    error = await failure(await serve(script), load_timeout=0.05)
    assert isinstance(error, TookTooLong)
    assert "load_timeout" in (error.hint or "")


@pytest.mark.anyio
async def test_a_server_that_sends_a_head_and_no_answer_is_given_up(serve: Serve) -> None:
    assert isinstance(await failure(await serve(sending(HEAD)), load_timeout=0.05), TookTooLong)


@pytest.mark.anyio
async def test_a_slow_first_token_has_the_time_of_a_load(serve: Serve) -> None:
    answered = anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        with anyio.move_on_after(0.1):
            await stream.receive()
        answered.set()
        await stream.send(HEAD + chunk(TOKEN) + chunk(DONE) + END)

    provider = OllamaProvider("ollama", {"endpoint": await serve(script), "timeout": 0.05, "load_timeout": 5})
    await provider.initialize()
    assert (await provider.handle_request(CHAT, {"messages": "hi", "model": "tiny"}))["response"] == "hi"
    assert answered.is_set()
    await provider.shutdown()


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [(TOKEN,), (TOKEN, TOKEN[:5])], ids=["silent", "in the middle of a line"])
async def test_an_answer_that_stops_is_given_up(serve: Serve, sent: tuple[bytes, ...]) -> None:
    error = await failure(await serve(sending(HEAD, *(chunk(piece) for piece in sent))), timeout=0.05)
    assert isinstance(error, TookTooLong)
    assert "providers.ollama.timeout" in (error.hint or "")


@pytest.mark.anyio
@pytest.mark.parametrize(
    "first", [b"", whole("503 Service Unavailable", b'{"error":"server busy"}')], ids=["lost", "busy"]
)
async def test_what_failed_before_the_first_byte_is_asked_again(serve: Serve, first: bytes) -> None:
    asked: list[str] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        asked.append(path)
        if len(asked) > 1:
            await stream.send(HEAD + chunk(TOKEN) + chunk(DONE) + END)
        elif first:
            await stream.send(first)
        else:
            await stream.aclose()

    provider = OllamaProvider("ollama", {"endpoint": await serve(script), "max_retries": 1})
    await provider.initialize()
    assert (await provider.handle_request(CHAT, {"messages": "hi", "model": "tiny"}))["response"] == "hi"
    await provider.shutdown()
    assert asked == ["/api/chat", "/api/chat"]


@pytest.mark.anyio
async def test_what_broke_after_the_first_token_is_not_asked_again(serve: Serve) -> None:
    asked: list[str] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        asked.append(path)
        await stream.send(HEAD + chunk(TOKEN))
        await stream.aclose()

    assert isinstance(await failure(await serve(script), max_retries=3), ConnectionLostError)
    assert len(asked) == 1
