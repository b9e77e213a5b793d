"""What models ask to be called, in the ways that they write it."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit_ollama.methods.tool_calls import tool_calls, with_answers


def call(**function: Any) -> dict[str, Any]:
    return {"function": {"name": "f", **function}}


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        (call(arguments={"a": 1}), {"a": 1}),
        (call(arguments='{"a": 1}'), {"a": 1}),
        (call(arguments=""), {}),
        (call(arguments=None), {}),
        (call(), {}),
        ({"name": "f", "arguments": {"a": 1}}, {"a": 1}),
    ],
)
def test_arguments_are_read_as_they_were_meant(written: dict[str, Any], arguments: dict[str, Any]) -> None:
    [found] = tool_calls([written])
    assert (found.name, found.arguments, found.problem) == ("f", arguments, None)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ("{a}", "its arguments are not JSON"),
        ("[1]", "its arguments are a list"),
        ('{"a": NaN}', "its arguments are not JSON"),
        ('{"a": 1e999}', "its arguments are not JSON"),
        ("[" * 100_000, "its arguments are not JSON: it is nested too deeply"),
        (3, "its arguments are a whole number"),
    ],
)
def test_arguments_that_are_none_are_a_problem_to_tell(arguments: Any, problem: str) -> None:
    [found] = tool_calls([call(arguments=arguments)])
    assert str(found.problem).startswith(problem)
    assert found.arguments == {}


def test_arguments_hold_nothing_that_cannot_be_sent_on() -> None:
    [found] = tool_calls([call(arguments=r'{"a": "\ud800"}')])
    assert found.arguments == {"a": "?"}


def test_an_answer_without_calls_asks_for_nothing() -> None:
    assert tool_calls(None) == tool_calls([]) == tool_calls("f") == tool_calls(["f"]) == []


def test_the_conversation_goes_on_with_the_calls_and_their_results() -> None:
    first, second = tool_calls([{"id": "call_1", **call(arguments='{"a": 1}')}, call()])
    message = {"role": "assistant", "content": "", "tool_calls": ["as it came"], "thinking": "hm"}
    said, *told = with_answers(message, [first, second], ["one", "two"])
    assert said["thinking"] == "hm"
    assert said["tool_calls"] == [
        {"id": "call_1", "function": {"name": "f", "arguments": {"a": 1}}},
        {"function": {"name": "f", "arguments": {}}},
    ]
    assert told == [
        {"role": "tool", "content": "one", "tool_name": "f", "tool_call_id": "call_1"},
        {"role": "tool", "content": "two", "tool_name": "f"},
    ]
