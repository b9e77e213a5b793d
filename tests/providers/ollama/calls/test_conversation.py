"""A model that calls tools until it has an answer, by a task whose calls are answered here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from gleitzeit.core.errors import (
    ConnectionLostError,
    ForbiddenError,
    GleitzeitError,
    MethodNotFoundError,
    ProviderError,
    QuestionDeclinedError,
    ToolFailedError,
    ValidationError,
)
from gleitzeit.providers.base import Detached, TaskContext, enter_task
from gleitzeit_ollama.calls.conversation import MOST_CALLS, converse

pytestmark = pytest.mark.anyio

ADD: dict[str, Any] = {
    "name": "add",
    "server": "sums",
    "method": "mcp/tool.sums.add",
    "description": "Adds",
    "input_schema": {"type": "object", "properties": {"a": {}, "b": {}}},
}
OWN = {"type": "function", "function": {"name": "mine", "parameters": {"type": "object"}}}


class Script(Detached):
    """Has the model say one thing after the other, and a tool add."""

    def __init__(self) -> None:
        self.says: list[dict[str, Any]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.failure: GleitzeitError | None = None

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        self.calls.append((method, dict(parameters)))
        match method:
            case "mcp/tools/list":
                return {"tools": [ADD], "count": 1}
            case "llm/chat":
                return self.says.pop(0)
            case _:
                if self.failure is not None:
                    raise self.failure
                return {"sum": parameters["arguments"]["a"] + parameters["arguments"]["b"], "text": "", "content": []}

    @property
    def chats(self) -> Sequence[dict[str, Any]]:
        return [parameters for method, parameters in self.calls if method == "llm/chat"]

    @property
    def tools(self) -> Sequence[tuple[str, dict[str, Any]]]:
        return [call for call in self.calls if call[0].startswith("mcp/tool.")]


@pytest.fixture
async def script() -> Any:
    support = Script()
    leave = enter_task(TaskContext(support=support))
    yield support
    leave()


def says(text: str = "", *calls: tuple[str, Any], done_reason: str = "stop", **more: Any) -> dict[str, Any]:
    asked = [{"function": {"name": name, "arguments": arguments}} for name, arguments in calls]
    message = {"role": "assistant", "content": text, **({"tool_calls": asked} if asked else {})}
    usage = {"prompt_tokens": 10, "completion_tokens": 1}
    answer = {"response": text, "message": message, "model": "tiny", "done_reason": done_reason, "usage": usage}
    return {**answer, **({"tool_calls": asked} if asked else {}), **more}


def results(messages: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    return (message["content"] for message in messages if message["role"] == "tool")


async def test_tools_are_called_until_there_is_an_answer(script: Script) -> None:
    script.says = [says("", ("sums_add", {"a": 2, "b": 3})), says("", ("sums_add", {"a": 5, "b": 4})), says("It is 9.")]
    result = await converse({"messages": "2 + 3 + 4?", "tools": "mcp", "model": "tiny", "seed": 1, "timeout": 60})
    assert result["response"] == "It is 9."
    assert result["steps"] == 3
    assert result["usage"] == {"prompt_tokens": 30, "completion_tokens": 3}
    assert result["calls"] == [
        {"tool": "mcp/tool.sums.add", "arguments": {"a": 2, "b": 3}, "ok": True},
        {"tool": "mcp/tool.sums.add", "arguments": {"a": 5, "b": 4}, "ok": True},
    ]
    assert [method for method, _ in script.calls] == [
        "mcp/tools/list",
        "llm/chat",
        "mcp/tool.sums.add",
        "llm/chat",
        "mcp/tool.sums.add",
        "llm/chat",
    ]
    last = script.chats[-1]
    assert list(results(last["messages"])) == ['{"sum":5}', '{"sum":9}']
    assert last["messages"][0] == {"role": "user", "content": "2 + 3 + 4?"}
    assert last["tools"][0]["function"]["name"] == "sums_add"
    assert set(last) == {"messages", "tools", "model", "seed"}
    assert result["messages"] == [*last["messages"][1:], result["message"]]


async def test_an_answer_at_once_calls_nothing(script: Script) -> None:
    script.says = [says("Hello.")]
    result = await converse({"messages": [{"content": "Hi"}], "tools": ["sums.*"]})
    assert (result["response"], result["steps"], result["calls"]) == ("Hello.", 1, [])
    assert script.chats[0]["messages"] == [{"content": "Hi"}]


async def test_several_calls_of_one_step_are_carried_out_in_order(script: Script) -> None:
    script.says = [says("", ("sums_add", {"a": 1, "b": 1}), ("sums_add", '{"a": 2, "b": 2}')), says("done")]
    await converse({"messages": "go", "tools": "mcp"})
    assert [parameters["arguments"]["a"] for _, parameters in script.tools] == [1, 2]
    assert list(results(script.chats[1]["messages"])) == ['{"sum":2}', '{"sum":4}']


async def test_a_message_has_no_more_calls_carried_out_than_a_model_can_mean(script: Script) -> None:
    script.says = [says("", *[("sums_add", {"a": number, "b": 1}) for number in range(1000)]), says("done")]
    result = await converse({"messages": "go", "tools": "mcp"})
    assert len(script.tools) == len(result["calls"]) == MOST_CALLS
    said = script.chats[1]["messages"]
    assert len(said[1]["tool_calls"]) == len(list(results(said))) == MOST_CALLS


FAILURES = [
    ToolFailedError("no such file"),
    ValidationError("b is missing"),
    MethodNotFoundError("the tool went away"),
    QuestionDeclinedError("not now"),
    ProviderError("no such file", details={"mcp_code": -32000}),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
async def test_a_failure_of_a_tool_is_told_to_the_model(script: Script, failure: GleitzeitError) -> None:
    script.failure = failure
    script.says = [says("", ("sums_add", {"a": 1, "b": 1})), says("I could not.")]
    result = await converse({"messages": "go", "tools": "mcp"})
    assert result["response"] == "I could not."
    assert result["calls"][0]["ok"] is False
    assert result["calls"][0]["error"].startswith(failure.message)
    assert failure.message in next(results(script.chats[1]["messages"]))


ENDINGS = [ForbiddenError("the policy says no"), ConnectionLostError("gone"), ProviderError("the server is down")]


@pytest.mark.parametrize("failure", ENDINGS, ids=lambda failure: type(failure).__name__)
async def test_what_is_no_word_of_the_tool_ends_the_task(script: Script, failure: GleitzeitError) -> None:
    script.failure = failure
    script.says = [says("", ("sums_add", {"a": 1, "b": 1}))]
    with pytest.raises(type(failure)) as raised:
        await converse({"messages": "go", "tools": "mcp"})
    assert raised.value is failure


async def test_unknown_tools_and_bad_arguments_are_told_to_the_model(script: Script) -> None:
    script.says = [says("", ("sum_add", {}), ("sums_add", "{a: 1}")), says("sorry")]
    result = await converse({"messages": "go", "tools": "mcp"})
    unknown, unreadable = results(script.chats[1]["messages"])
    assert 'there is no tool "sum_add"; did you mean "sums_add"?' in unknown
    assert "not JSON" in unreadable
    assert [call["ok"] for call in result["calls"]] == [False, False]
    assert script.tools == []


async def test_after_the_last_step_an_answer_is_asked_for_without_tools(script: Script) -> None:
    again = says("", ("sums_add", {"a": 1, "b": 1}))
    script.says = [again, again, says("It is 2.")]
    result = await converse({"messages": "go", "tools": "mcp", "max_steps": 2})
    assert (result["response"], result["done_reason"], result["steps"]) == ("It is 2.", "max_steps", 3)
    assert len(result["calls"]) == 2
    assert "tools" not in script.chats[2]
    assert script.chats[2]["messages"][-1]["role"] == "user"


async def test_a_call_of_the_callers_own_function_ends_the_loop(script: Script) -> None:
    script.says = [says("", ("mine", {"x": 1}), ("sums_add", {"a": 1, "b": 2}))]
    result = await converse({"messages": "go", "tools": [OWN, "sums.*"]})
    assert result["tool_calls"] == [{"function": {"name": "mine", "arguments": {"x": 1}}}]
    assert [tool["function"]["name"] for tool in script.chats[0]["tools"]] == ["sums_add", "mine"]
    assert list(results(result["messages"])) == ['{"sum":3}']
    assert [call["tool"] for call in result["calls"]] == ["mcp/tool.sums.add"]


async def test_an_answer_of_a_certain_form_is_asked_for_once_the_tools_are_done(script: Script) -> None:
    schema = {"type": "object", "properties": {"sum": {"type": "integer"}}}
    script.says = [says("", ("sums_add", {"a": 1, "b": 1})), says("2"), says('{"sum": 2}', parsed={"sum": 2})]
    result = await converse({"messages": "go", "tools": "mcp", "format": schema})
    assert result["parsed"] == {"sum": 2}
    assert ["format" in chat for chat in script.chats] == [False, False, True]
    assert "tools" not in script.chats[2]
    assert [message["role"] for message in result["messages"]] == ["assistant", "tool", "assistant"]


async def test_no_fitting_tool_fails_before_the_model_is_asked(script: Script) -> None:
    with pytest.raises(MethodNotFoundError, match='fits "sms'):
        await converse({"messages": "go", "tools": "sms.*"})
    assert script.chats == []
