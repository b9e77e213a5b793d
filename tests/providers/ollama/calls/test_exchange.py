"""What becomes of a question and its answer, in front of a node that speaks as Ollama does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.answer import Answer, Asked
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import ProviderError, ValidationError
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit.providers.base import TaskContext

pytestmark = pytest.mark.anyio

Report = tuple[float | None, float | None, str | None]
Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Start = Callable[..., Awaitable[Call]]

CITY: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


def saying(*answers: Answer | str) -> Callable[[Asked], Answer | str]:
    """Says one thing after the other."""
    left = iter(answers)
    return lambda _asked: next(left)


async def test_an_answer_is_whole_and_in_the_documented_form(start: Start) -> None:
    async with FakeOllama("tiny", answers=saying("Hello you")) as node:
        call = await start(node.url)
        assert await call() == {
            "response": "Hello you",
            "message": {"role": "assistant", "content": "Hello you"},
            "model": "tiny",
            "done_reason": "stop",
            "usage": {"prompt_tokens": 1, "completion_tokens": 2},
        }


async def test_a_generated_text_has_no_message(start: Start) -> None:
    async with FakeOllama("tiny", answers=saying(" there was a king.")) as node:
        call = await start(node.url)
        assert await call("llm/generate", prompt="Once upon a time") == {
            "response": " there was a king.",
            "model": "tiny",
            "done_reason": "stop",
            "usage": {"prompt_tokens": 4, "completion_tokens": 4},
        }


async def test_a_text_goes_on_from_the_context_of_another(start: Start) -> None:
    async with FakeOllama("tiny") as node:
        call = await start(node.url)
        first = await call("llm/generate", prompt="Once upon", context=[])
        await call("llm/generate", prompt="a time", context=first["context"])
        assert first["context"]
        assert node.counters.asked[-1].body["context"] == first["context"]


async def test_tokens_are_progress_and_facts_are_metadata(
    start: Start, task: TaskContext, reports: list[Report]
) -> None:
    async with FakeOllama("tiny", answers=saying("one two three"), load_seconds=0.02) as node:
        call = await start(node.url)
        result = await call(max_tokens=50)
        assert "".join(report[2] or "" for report in reports) == result["response"] == "one two three"
        assert reports[-1][:2] == (3, 50)
        facts = task.metadata
        assert (facts["node"], facts["model"], facts["cold"], facts["tries"]) == (node.url, "tiny", True, 1)
        assert facts["load_duration"] >= 0.02
        assert 0 <= facts["waited"] < facts["time_to_first_token"] <= facts["duration"]


async def test_thinking_is_kept_apart_from_the_answer(start: Start, reports: list[Report]) -> None:
    model = FakeModel("tiny", frozenset({"completion", "thinking"}))
    said = Answer("Four.", thinking="Two and two.")
    async with FakeOllama(model, version="0.33.0", answers=saying(said, said, said)) as node:
        call = await start(node.url)
        chat = await call(think=True)
        assert chat["message"] == {"role": "assistant", "content": "Four.", "thinking": "Two and two."}
        assert (chat["response"], "thinking" in chat) == ("Four.", False)
        assert "".join(report[2] or "" for report in reports) == "Four."
        assert (await call("llm/generate", prompt="2+2"))["thinking"] == "Two and two."
        assert "thinking" not in (await call(think=False))["message"]


async def test_thinking_that_a_model_cannot_is_said_in_its_servers_words(start: Start) -> None:
    async with FakeOllama("tiny", version="0.33.0") as node:
        call = await start(node.url)
        with pytest.raises(ValidationError, match="does not support thinking"):
            await call(think=True)


async def test_what_the_model_wants_called_is_returned_and_no_data_is_asked_of_it(start: Start) -> None:
    model = FakeModel("tiny", frozenset({"completion", "tools"}))
    asks = Answer(tool_calls=[{"name": "now", "arguments": {"zone": "UTC"}}])
    async with FakeOllama(model, answers=saying(asks)) as node:
        call = await start(node.url)
        result = await call(tools=[{"type": "function", "function": {"name": "now"}}], format="json")
        wanted = [{"function": {"name": "now", "arguments": {"zone": "UTC"}}}]
        assert result["tool_calls"] == wanted
        assert result["message"] == {"role": "assistant", "content": "", "tool_calls": wanted}
        assert "parsed" not in result


async def test_likelihoods_come_where_they_are_asked_for(start: Start) -> None:
    async with FakeOllama("tiny", version="0.33.0", answers=saying("a b", "a b")) as node:
        call = await start(node.url)
        found = (await call(logprobs=True, top_logprobs=1))["logprobs"]
        assert [token["token"] for token in found] == ["a", " b"]
        assert [len(token["top_logprobs"]) for token in found] == [1, 1]
        assert "logprobs" not in await call()


@pytest.mark.parametrize("answer_format", ["json", CITY])
async def test_an_answer_in_json_is_also_data(start: Start, answer_format: Any) -> None:
    async with FakeOllama("tiny", answers=saying('{"city": "Paris"}')) as node:
        call = await start(node.url)
        assert (await call(format=answer_format))["parsed"] == {"city": "Paris"}
        assert node.counters.asked[0].body["format"] == answer_format


async def test_an_answer_that_does_not_fit_is_asked_for_once_more(
    start: Start, task: TaskContext, reports: list[Report]
) -> None:
    async with FakeOllama("tiny", answers=saying('{"town": "Paris"}', '{"city": "Paris"}')) as node:
        call = await start(node.url)
        result = await call(format=CITY)
        first, second = (asked.body["messages"] for asked in node.counters.asked)
        assert second[:2] == [*first, {"role": "assistant", "content": '{"town": "Paris"}'}]
        assert "That answer cannot be used: it does not fit format: city" in second[2]["content"]
        assert (result["parsed"], result["response"]) == ({"city": "Paris"}, '{"city": "Paris"}')
        assert result["usage"]["completion_tokens"] == 4
        assert task.metadata["repaired"] is True
        assert "".join(report[2] or "" for report in reports) == '{"town": "Paris"}'


async def test_a_generated_text_is_repaired_within_its_prompt(start: Start) -> None:
    async with FakeOllama("tiny", answers=saying("Paris", '{"city": "Paris"}')) as node:
        call = await start(node.url)
        assert (await call("llm/generate", prompt="Where?", format=CITY))["parsed"] == {"city": "Paris"}
        assert node.counters.asked[1].body["prompt"].startswith("Where?\n\nParis\n\nThat answer cannot be used:")


async def test_an_answer_that_never_fits_fails_and_may_be_tried_again(start: Start, task: TaskContext) -> None:
    async with FakeOllama("tiny", answers=saying("Paris", "Rome", "Oslo")) as node:
        call = await start(node.url)
        with pytest.raises(ProviderError, match="and was not when it was asked for again: it is not JSON") as caught:
            await call(format=CITY)
        assert caught.value.retryable
        assert caught.value.details["response"] == "Rome"
        assert len(node.counters.asked) == 2


async def test_an_answer_that_was_cut_off_is_not_asked_for_again(start: Start, task: TaskContext) -> None:
    async with FakeOllama("tiny", answers=saying('{"city": "Paris on the Seine"}')) as node:
        call = await start(node.url)
        with pytest.raises(ProviderError, match="for it was cut off") as caught:
            await call(format=CITY, max_tokens=2)
        assert "max_tokens" in (caught.value.hint or "")
        assert len(node.counters.asked) == 1
        assert "repaired" not in task.metadata


async def test_a_call_keeps_to_the_timeout_it_is_given(start: Start) -> None:
    async with FakeOllama("tiny") as node:
        node.state.gate.hold(after=1)
        call = await start(node.url)
        with pytest.raises(TookTooLong, match=r"llm/chat took longer than its timeout of 0\.05 s"):
            await call(timeout=0.05)
        with anyio.fail_after(5):
            await node.counters.until(lambda seen: seen.running == 0)


async def test_a_repair_is_within_the_timeout_too(start: Start) -> None:
    async with FakeOllama("tiny", answers=saying("Paris", '{"city": "Paris on the Seine"}')) as node:
        node.state.gate.hold(after=1)
        call = await start(node.url)
        with pytest.raises(TookTooLong, match="longer than its timeout"):
            await call(format=CITY, timeout=0.2)
        assert len(node.counters.asked) == 2


async def test_a_wrong_option_is_refused_and_not_sent_again(start: Start) -> None:
    async with FakeOllama("tiny") as node:
        call = await start(node.url, max_retries=3)
        with pytest.raises(ValidationError) as caught:
            await call(options={"temperature": "hot"})
        assert not caught.value.retryable
        assert node.counters.requests["/api/chat"] == 1
