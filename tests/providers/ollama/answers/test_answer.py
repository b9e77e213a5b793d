from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.answers.answer import Answer

DONE: dict[str, Any] = {"model": "tiny", "done": True, "done_reason": "stop", "prompt_eval_count": 13, "eval_count": 2}


def said(**message: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": "", **message}, "done": False}


def answer(*lines: dict[str, Any]) -> Answer:
    made = Answer("tiny")
    for line in lines:
        made.add(line)
    return made


def test_a_chat_and_a_generated_text_make_the_same_result() -> None:
    chat = answer(said(content="Hel"), said(content="lo"), {**DONE, **said()})
    generated = answer({"response": "Hel"}, {"response": "lo"}, {**DONE, "response": ""})
    assert (
        chat.result()
        == generated.result()
        == {
            "response": "Hello",
            "model": "tiny",
            "done_reason": "stop",
            "usage": {"prompt_tokens": 13, "completion_tokens": 2},
        }
    )


def test_the_message_is_kept_where_the_method_has_one() -> None:
    call: dict[str, Any] = {"function": {"name": "now", "arguments": {}}}
    chat = answer(said(thinking="Hm"), said(content="Hi"), said(tool_calls=[call]), {**DONE, **said()})
    result = chat.result(("message",))
    assert result["message"] == {"role": "assistant", "content": "Hi", "thinking": "Hm", "tool_calls": [call]}
    assert result["tool_calls"] == [call]
    assert "thinking" not in result
    assert chat.result()["thinking"] == "Hm"


def test_a_line_tells_what_it_brings() -> None:
    made = Answer("tiny")
    assert made.add(said(content="Hi")) == "Hi"
    assert made.add(said(thinking="Hm")) == ""
    assert made.add(said(tool_calls=[{}])) == ""
    assert made.add(said()) is None
    assert made.add({"response": "Hi"}) == "Hi"
    assert made.add({"response": "", "thinking": "Hm"}) == ""
    assert made.add(DONE) is None


@pytest.mark.parametrize("count", [-5, True, "7", None, [1]])
def test_what_is_no_count_is_nought(count: Any) -> None:
    made = answer(said(content="Hi"), {**DONE, "prompt_eval_count": count, "eval_count": count, "load_duration": count})
    assert made.result()["usage"] == {"prompt_tokens": 0, "completion_tokens": 0}
    assert made.load_seconds == 0


def test_a_count_that_no_server_can_have_is_still_a_number() -> None:
    made = answer({**DONE, "eval_count": 10**400, "load_duration": 10**400})
    assert 0 < made.result()["usage"]["completion_tokens"] < 2**63
    assert 0 < made.load_seconds < 1e10


@pytest.mark.parametrize("line", [{"logprobs": [{"token": "x" * 60}]}, said(tool_calls=[{"x" * 60: 1}]), said()])
def test_all_that_is_kept_counts(line: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit_ollama.answers.answer.TEXT_LIMIT", 100)
    with pytest.raises(LimitError, match="over 100 characters"):
        answer(*[line] * 101)


def test_only_objects_are_calls_of_tools() -> None:
    made = answer(said(tool_calls=[1, "now", None]), {**DONE, **said(content="Hi")})
    assert not made.asks_for_tools
    assert "tool_calls" not in made.result()


def test_what_ollama_leaves_out_is_nought() -> None:
    result = answer({"message": {"content": None}, "done": True}).result()
    assert result == {
        "response": "",
        "model": "tiny",
        "done_reason": None,
        "usage": {"prompt_tokens": 0, "completion_tokens": 0},
    }


def test_likelihoods_of_all_tokens_are_put_together() -> None:
    one, other = {"token": "Hel", "logprob": -0.1}, {"token": "lo", "logprob": -0.2}
    made = answer({**said(content="Hel"), "logprobs": [one]}, {**said(content="lo"), "logprobs": [other]}, DONE)
    assert made.result()["logprobs"] == [one, other]


def test_the_context_is_kept_only_where_it_is_asked_for() -> None:
    made = answer({"response": "Hi"}, {**DONE, "context": [1, 2]})
    assert "context" not in made.result()
    assert made.result(("context",))["context"] == [1, 2]


def test_a_length_that_is_reached_cuts_it_off() -> None:
    assert answer({**DONE, "done_reason": "length"}).cut_off
    assert not answer(DONE).cut_off


def test_the_time_to_load_is_in_seconds() -> None:
    assert answer({**DONE, "load_duration": 250_000_000}).load_seconds == 0.25
    assert answer(DONE).load_seconds == 0.0


def test_an_answer_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit_ollama.answers.answer.TEXT_LIMIT", 1000)
    with pytest.raises(LimitError, match="over 1,000 characters"):
        answer(*[said(content="x" * 100)] * 11)
