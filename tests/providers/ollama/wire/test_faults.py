from __future__ import annotations

import json
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream
from tests.providers.ollama.wire.http_bytes import (
    DONE,
    END,
    HEAD,
    TOKEN,
    Serve,
    chunk,
    sending,
    streaming,
    whole,
)

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    LimitError,
    ProviderError,
    ValidationError,
)
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.wire.client import NodeClient
from gleitzeit_ollama.wire.patience import Patience

pytestmark = pytest.mark.anyio


async def chat(endpoint: str, patience: Patience) -> list[dict[str, Any]]:
    """The objects of an answer to a chat."""
    client = NodeClient(Endpoint.parse(endpoint))
    try:
        with anyio.fail_after(5):
            async with client.stream("/api/chat", {"model": "llama3.1", "messages": []}, patience) as stream:
                return [value async for value in stream]
    finally:
        await client.aclose()


async def failure(endpoint: str, first: float = 60, idle: float = 60) -> GleitzeitError:
    """The error that a chat with this server ends in."""
    with pytest.raises(GleitzeitError) as caught:
        await chat(endpoint, Patience(first, idle))
    return caught.value


async def test_a_missing_model_is_told_by_its_status(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("404 Not Found", b'{"error":"model \'x\' not found"}'))))
    assert isinstance(error, ProviderError)
    assert not error.retryable
    assert error.details["status"] == 404
    assert "foreign" not in error.details


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


async def test_a_wrong_option_is_the_fault_of_the_request_whatever_the_status_says(serve: Serve) -> None:
    words = json.dumps({"error": 'option "temperature" must be of type float32'}).encode()
    error = await failure(await serve(sending(whole("500 Internal Server Error", words))))
    assert isinstance(error, ValidationError)
    assert not error.retryable
    assert 'option "temperature" must be of type float32' in error.message


@pytest.mark.parametrize("status", ["400 Bad Request", "500 Internal Server Error", "200 OK"])
async def test_an_error_has_no_more_words_than_anyone_reads(serve: Serve, status: str) -> None:
    error = await failure(await serve(sending(whole(status, b'{"error":"' + b"x" * 60_000 + b'"}'))))
    assert "xxx" in error.message
    assert len(error.message) < 3_000


@pytest.mark.parametrize("place", ["javascript:alert(1)", "https://" + "x" * 5_000, "http://ollama.com"])
async def test_nobody_is_sent_to_sign_in_just_anywhere(serve: Serve, place: str) -> None:
    words = json.dumps({"error": "unauthorized", "signin_url": place}).encode()
    error = await failure(await serve(sending(whole("401 Unauthorized", words))))
    assert place not in (error.hint or "")


async def test_a_model_in_the_cloud_says_where_to_sign_in(serve: Serve) -> None:
    words = b'{"error":"unauthorized","signin_url":"https://ollama.com/connect?name=x"}'
    error = await failure(await serve(sending(whole("401 Unauthorized", words))))
    assert not error.retryable
    assert error.hint == "sign in at https://ollama.com/connect?name=x"


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


async def test_a_proxy_that_wants_a_password_is_no_foreign_program(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("401 Unauthorized", b"<h1>Sign in</h1>", "text/html"))))
    assert not error.retryable
    assert "answered 401: <h1>Sign in</h1>" in error.message
    assert "user:password@host" in (error.hint or "")


async def test_a_proxy_that_lost_its_server_is_quoted(serve: Serve) -> None:
    error = await failure(await serve(sending(whole("502 Bad Gateway", b"<h1>Bad\n Gateway</h1>", "text/html"))))
    assert error.retryable
    assert "answered 502: <h1>Bad Gateway</h1>" in error.message


@pytest.mark.parametrize("before", [(), (TOKEN,)], ids=["first line", "in the middle"])
async def test_an_error_in_the_stream_is_an_error(serve: Serve, before: tuple[bytes, ...]) -> None:
    error = await failure(await serve(streaming(*before, b'{"error":"unexpected EOF"}\n')))
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "unexpected EOF" in error.message


async def test_a_stream_that_ends_without_done_is_no_answer(serve: Serve) -> None:
    error = await failure(await serve(streaming(TOKEN, TOKEN)))
    assert isinstance(error, ProviderError)
    assert error.retryable
    assert "ended before done" in error.message
    assert "repeat_penalty" in (error.hint or "")


async def test_an_empty_answer_is_no_answer(serve: Serve) -> None:
    assert "ended before done" in (await failure(await serve(streaming()))).message


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
    assert "retry" in str(error.hint)
    assert error.retryable


async def test_garbage_instead_of_http_is_an_error_of_ours(serve: Serve) -> None:
    error = await failure(await serve(sending(b"SSH-2.0-OpenSSH_9.2\r\n", then_close=True)))
    assert isinstance(error, ConnectionLostError)


async def test_a_giant_line_is_refused(serve: Serve) -> None:
    error = await failure(await serve(sending(HEAD, chunk(TOKEN), *[chunk(b"x" * 2**20)] * 17)))
    assert isinstance(error, LimitError)


async def test_a_server_that_never_answers_is_given_up(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.receive()

    error = await failure(await serve(script), first=0.05)
    assert isinstance(error, TookTooLong)
    assert "load_timeout" in (error.hint or "")


async def test_a_server_that_sends_a_head_and_no_answer_is_given_up(serve: Serve) -> None:
    patience = Patience(0.05, 60, setting="timeout")
    with pytest.raises(TookTooLong) as caught:
        await chat(await serve(sending(HEAD)), patience)
    assert caught.value.hint == "raise providers.ollama.timeout"
    assert not patience.begun


async def test_who_waits_for_a_model_that_is_loading_after_all_gets_the_time_for_it(serve: Serve) -> None:
    patience = Patience(0.1, 60, setting="timeout")

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        patience.extend(60)
        patience.extend(0.01)
        with anyio.move_on_after(0.2):
            await stream.receive()
        await stream.send(HEAD + chunk(TOKEN) + chunk(DONE) + END)

    assert len(await chat(await serve(script), patience)) == 2


async def test_a_byte_now_and_then_is_no_answer(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD)
        for at in range(len(TOKEN)):
            await stream.send(chunk(TOKEN[at : at + 1]))
            with anyio.move_on_after(0.02):
                await stream.receive()

    patience = Patience(0.1, 60)
    with pytest.raises(TookTooLong):
        await chat(await serve(script), patience)
    assert patience.begun


@pytest.mark.parametrize("sent", [(TOKEN,), (TOKEN, TOKEN[:5])], ids=["silent", "in the middle of a line"])
async def test_an_answer_that_stops_is_given_up(serve: Serve, sent: tuple[bytes, ...]) -> None:
    error = await failure(await serve(sending(HEAD, *(chunk(piece) for piece in sent))), idle=0.05)
    assert isinstance(error, TookTooLong)
    assert "providers.ollama.timeout" in (error.hint or "")


@pytest.mark.parametrize(
    ("sent", "begun"),
    [((), False), ((HEAD,), False), ((HEAD, chunk(TOKEN[:9])), True), ((HEAD, chunk(TOKEN)), True)],
    ids=["nothing", "head", "part of a line", "token"],
)
async def test_it_is_known_whether_a_byte_of_the_answer_has_come(
    serve: Serve, sent: tuple[bytes, ...], begun: bool
) -> None:
    patience = Patience(60, 60)
    with pytest.raises(ConnectionLostError):
        await chat(await serve(sending(*sent, then_close=True)), patience)
    assert patience.begun is begun


async def test_what_cannot_be_sent_is_refused(serve: Serve) -> None:
    client = NodeClient(Endpoint.parse(await serve(streaming(DONE))))
    with pytest.raises(ValidationError, match="no JSON data"):
        await client.post("/api/embed", {"input": float("nan")}, Patience(5, 5))
    await client.aclose()


async def test_a_whole_answer_that_is_no_object_comes_from_another_program(serve: Serve) -> None:
    client = NodeClient(Endpoint.parse(await serve(sending(whole("200 OK", b"<html>", "text/html")))))
    with pytest.raises(ProviderError, match="is not an Ollama: /api/embed gives <html>") as caught:
        await client.post("/api/embed", {"model": "tiny", "input": "hi"}, Patience(5, 5))
    assert caught.value.details["foreign"]
    await client.aclose()


async def test_a_whole_answer_without_end_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit_ollama.wire.connection.BODY_LIMIT", 100)
    client = NodeClient(Endpoint.parse(await serve(sending(HEAD, *[chunk(b"x" * 60)] * 3))))
    with pytest.raises(LimitError, match="more than 100 bytes"):
        await client.post("/api/embed", {"model": "tiny", "input": "hi"}, Patience(5, 5))
    await client.aclose()


async def test_a_schema_that_ollama_does_not_take_is_a_mistake_in_the_request(serve: Serve) -> None:
    error = await failure(await serve(streaming(b'{"error":"invalid JSON schema in format"}\n')))
    assert isinstance(error, ValidationError)
    assert "invalid JSON schema in format" in error.message
    assert error.details["parameter"] == "format"
