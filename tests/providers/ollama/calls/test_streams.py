from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from gleitzeit.core.errors import LimitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit.providers.base import TaskContext
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.chat import CHAT

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Report = tuple[float | None, float | None, str | None]
Serve = Callable[[Script], Awaitable[str]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
DONE = {
    "model": "tiny",
    "created_at": "2026-11-22T09:00:00.000000001Z",
    "message": {"role": "assistant", "content": ""},
    "done_reason": "stop",
    "done": True,
    "total_duration": 1481779595,
    "load_duration": 250000000,
    "prompt_eval_count": 13,
    "eval_count": 2,
}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def token(text: str, **message: Any) -> bytes:
    return line({"model": "tiny", "message": {"role": "assistant", "content": text, **message}, "done": False})


def answering(*lines: bytes) -> Script:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + b"".join(chunk(data) for data in lines) + END)

    return script


@asynccontextmanager
async def chatting(
    endpoint: str, **settings: Any
) -> AsyncGenerator[Callable[..., Coroutine[Any, Any, dict[str, Any]]]]:
    """A call of `llm/chat` on a provider for `endpoint`."""
    provider = OllamaProvider(
        "ollama", {"endpoint": endpoint, "models": {"default": "tiny"}, "max_retries": 0, **settings}
    )
    await provider.initialize()

    async def chat(**parameters: Any) -> dict[str, Any]:
        return await provider.handle_request(CHAT, {"messages": "hi", **parameters})

    with anyio.fail_after(5):
        try:
            yield chat
        finally:
            await provider.shutdown()


@pytest.mark.anyio
async def test_an_answer_is_whole_and_in_the_documented_form(serve: Serve) -> None:
    endpoint = await serve(answering(token("Hel"), token("lo"), line(DONE)))
    async with chatting(endpoint) as chat:
        assert await chat() == {
            "response": "Hello",
            "message": {"role": "assistant", "content": "Hello"},
            "model": "tiny",
            "done_reason": "stop",
            "usage": {"prompt_tokens": 13, "completion_tokens": 2},
        }


@pytest.mark.anyio
async def test_tokens_are_progress_and_facts_are_metadata(
    serve: Serve, task: TaskContext, reports: list[Report]
) -> None:
    endpoint = await serve(answering(token("Hel"), token("lo"), token("!"), line(DONE)))
    async with chatting(endpoint) as chat:
        await chat(max_tokens=50)
    assert "".join(report[2] or "" for report in reports) == "Hello!"
    assert reports[-1][:2] == (3, 50)
    assert task.metadata["node"] == endpoint
    assert task.metadata["model"] == "tiny"
    assert task.metadata["load_duration"] == 0.25
    assert 0 < task.metadata["time_to_first_token"] <= task.metadata["duration"]


@pytest.mark.anyio
async def test_pieces_cut_in_the_middle_of_a_letter_make_the_same_text(serve: Serve) -> None:
    sent = token("Grüße 😀") + token(" ✓") + line(DONE)
    endpoint = await serve(answering(*(sent[at : at + 1] for at in range(len(sent)))))
    async with chatting(endpoint) as chat:
        assert (await chat())["response"] == "Grüße 😀 ✓"


@pytest.mark.anyio
async def test_the_last_line_needs_no_end_of_line(serve: Serve) -> None:
    endpoint = await serve(answering(token("hi"), line(DONE).rstrip()))
    async with chatting(endpoint) as chat:
        assert (await chat())["response"] == "hi"


@pytest.mark.anyio
async def test_thinking_and_tool_calls_are_kept_beside_the_text(serve: Serve) -> None:
    call = {"function": {"name": "now", "arguments": {"zone": "UTC"}}}
    endpoint = await serve(
        answering(token("", thinking="Let me "), token("", thinking="see"), token("", tool_calls=[call]), line(DONE))
    )
    async with chatting(endpoint) as chat:
        result = await chat(tools=[{"type": "function", "function": {"name": "now"}}], format="json")
    assert result["message"] == {"role": "assistant", "content": "", "thinking": "Let me see", "tool_calls": [call]}
    assert result["tool_calls"] == [call]
    assert "parsed" not in result


@pytest.mark.anyio
async def test_counts_that_are_left_out_are_nought(serve: Serve) -> None:
    endpoint = await serve(answering(line({"message": {"content": None}, "done": True})))
    async with chatting(endpoint) as chat:
        result = await chat()
    assert result["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert (result["response"], result["model"], result["done_reason"]) == ("", "tiny", None)


@pytest.mark.anyio
async def test_an_answer_in_json_is_also_data(serve: Serve) -> None:
    endpoint = await serve(answering(token('{"city": '), token('"Paris"}'), line(DONE)))
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    async with chatting(endpoint) as chat:
        assert (await chat(format=schema))["parsed"] == {"city": "Paris"}
        assert (await chat(format="json"))["parsed"] == {"city": "Paris"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("text", "last", "message", "hint"),
    [
        ("Paris", {}, "is not JSON", "say in a message"),
        ('{"city": "Pa', {"done_reason": "length"}, "for it was cut off", "max_tokens"),
        ('{"city": 5}', {}, "does not fit format: city", "describe the fields"),
        ('{"city": NaN}', {}, "is not JSON", "say in a message"),
    ],
)
async def test_an_answer_that_is_not_what_format_asks_for_fails_and_may_be_tried_again(
    serve: Serve, text: str, last: dict[str, Any], message: str, hint: str
) -> None:
    endpoint = await serve(answering(token(text), line({**DONE, **last})))
    async with chatting(endpoint) as chat:
        with pytest.raises(ProviderError, match=message) as caught:
            await chat(format={"type": "object", "properties": {"city": {"type": "string"}}})
    assert caught.value.retryable
    assert hint in (caught.value.hint or "")
    assert caught.value.details["response"] == text


@pytest.mark.anyio
async def test_one_connection_serves_call_after_call(serve: Serve) -> None:
    streams: list[SocketStream] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        streams.append(stream)
        await answering(token("hi"), line(DONE))(path, body, stream)

    async with chatting(await serve(script)) as chat:
        for _ in range(3):
            await chat()
    assert len(streams) == 3
    assert len(set(streams)) == 1


@pytest.mark.anyio
async def test_a_server_that_does_not_end_its_response_is_not_waited_for(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + chunk(token("hi") + line(DONE)))
        await stream.receive()

    async with chatting(await serve(script)) as chat:
        assert (await chat())["response"] == "hi"


@pytest.mark.anyio
async def test_no_more_streams_are_open_than_configured_and_all_get_their_turn(serve: Serve) -> None:
    arrived: list[str] = []
    two, go = anyio.Event(), anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        arrived.append(path)
        if len(arrived) == 2:
            two.set()
        await go.wait()
        await answering(token("hi"), line(DONE))(path, body, stream)

    results: list[str] = []
    async with chatting(await serve(script), max_connections=2) as chat, anyio.create_task_group() as group:

        async def one() -> None:
            results.append((await chat())["response"])

        for _ in range(9):
            group.start_soon(one)
        await two.wait()
        for _ in range(10):
            await anyio.wait_all_tasks_blocked()
        assert len(arrived) == 2
        go.set()
    assert results == ["hi"] * 9


@pytest.mark.anyio
@pytest.mark.parametrize("started", [False, True], ids=["before the first byte", "in the middle"])
async def test_cancelling_hangs_up_at_once(serve: Serve, first_token: anyio.Event, started: bool) -> None:
    asked, hung_up = anyio.Event(), anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        if started:
            await stream.send(HEAD + chunk(token("Once")))
        asked.set()
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            hung_up.set()
            raise

    async with chatting(await serve(script)) as chat, anyio.create_task_group() as group:
        group.start_soon(chat)
        await (first_token if started else asked).wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(1):
        await hung_up.wait()


@pytest.mark.anyio
async def test_a_cancelled_call_gives_its_slot_to_the_next(serve: Serve) -> None:
    asked = anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        if not asked.is_set():
            asked.set()
            await stream.receive()
        await answering(token("hi"), line(DONE))(path, body, stream)

    async with chatting(await serve(script), max_connections=1) as chat:
        async with anyio.create_task_group() as group:
            group.start_soon(chat)
            await asked.wait()
            group.cancel_scope.cancel()
        assert (await chat())["response"] == "hi"


@pytest.mark.anyio
async def test_a_call_keeps_to_the_timeout_it_is_given(serve: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + chunk(token("Once")))
        await stream.receive()

    async with chatting(await serve(script)) as chat:
        with pytest.raises(TookTooLong, match=r"longer than its timeout of 0\.05 s"):
            await chat(timeout=0.05)


@pytest.mark.anyio
async def test_an_answer_without_end_is_refused(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit_ollama.answer.TEXT_LIMIT", 1000)
    endpoint = await serve(answering(*[token("x" * 100)] * 11, line(DONE)))
    async with chatting(endpoint) as chat:
        with pytest.raises(LimitError, match="over 1,000 characters"):
            await chat()


@pytest.mark.anyio
async def test_a_provider_serves_again_after_it_was_shut_down(serve: Serve) -> None:
    endpoint = await serve(answering(token("hi"), line(DONE)))
    provider = OllamaProvider("ollama", {"endpoint": endpoint, "models": {"default": "tiny"}})
    for _ in range(2):
        await provider.initialize()
        assert (await provider.handle_request(CHAT, {"messages": "hi"}))["response"] == "hi"
        await provider.shutdown()
        with pytest.raises(ProviderUnavailableError, match="not started"):
            await provider.handle_request(CHAT, {"messages": "hi"})


@pytest.mark.anyio
async def test_shutting_down_ends_what_is_being_answered(serve: Serve, first_token: anyio.Event) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + chunk(token("Once")))
        await stream.receive()

    provider = OllamaProvider("ollama", {"endpoint": await serve(script), "models": {"default": "tiny"}})
    await provider.initialize()
    caught: list[ProviderError] = []

    async def chat() -> None:
        try:
            await provider.handle_request(CHAT, {"messages": "hi"})
        except ProviderError as error:
            caught.append(error)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(chat)
            await first_token.wait()
            await provider.shutdown()
    assert [error.code for error in caught] == ["connection_lost"]


@pytest.mark.anyio
async def test_shutting_down_ends_what_waits_for_its_turn_or_its_first_byte(serve: Serve) -> None:
    asked = anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        asked.set()
        await stream.receive()

    settings = {"endpoint": await serve(script), "models": {"default": "tiny"}, "max_connections": 1, "max_retries": 3}
    provider = OllamaProvider("ollama", settings)
    await provider.initialize()
    caught: list[ProviderError] = []

    async def chat() -> None:
        try:
            await provider.handle_request(CHAT, {"messages": "hi"})
        except ProviderError as error:
            caught.append(error)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(chat)
            group.start_soon(chat)
            await asked.wait()
            await provider.shutdown()
    assert ["shutting down" in error.message for error in caught] == [True, True]
