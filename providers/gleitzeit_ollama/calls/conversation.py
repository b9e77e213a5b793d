"""A chat in which the model calls tools of MCP servers until it has an answer. Each step is a recorded call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.errors import (
    GleitzeitError,
    NotFoundError,
    QuestionDeclinedError,
    ToolFailedError,
    UnsupportedError,
    ValidationError,
)
from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit_ollama.methods.tool_calls import ToolCall, tool_calls, with_answers
from gleitzeit_ollama.methods.tool_results import cut, told
from gleitzeit_ollama.methods.tools import (
    LIST_METHOD,
    STEPS,
    Tool,
    Toolbox,
    function_name,
    functions_of,
    patterns_of,
    toolbox,
)

_CHAT = "llm/chat"
_TOLD = (ToolFailedError, ValidationError, NotFoundError, UnsupportedError, QuestionDeclinedError)
_OWN = frozenset({"messages", "tools", "max_steps", "format", "timeout"})
MOST_CALLS = 32
"""How many calls of one message are carried out: the others are as if the model had not asked for them."""

_ENOUGH = "You may call no more tools. Answer now, with what you know."


async def converse(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The result of `llm/chat` with tools of MCP servers: as without, and `steps`, `calls` and `messages` beside it.

    The model is asked, and what it calls is called, until it answers or calls a function of the caller's own; after
    `max_steps` it is asked once more without tools, and `done_reason` is `max_steps`. A tool's failure is told to the
    model. Raises `MethodNotFoundError` where there is no such tool, and what ends a call without a word of the tool.
    """
    task, tools = current_task(), parameters["tools"]
    patterns, functions = patterns_of(tools), functions_of(tools)
    listed = await task.call(LIST_METHOD)
    box = toolbox(listed["tools"], patterns, functions)
    return await _Conversation(task, parameters, box, functions).result()


class _Conversation:
    """What has been said so far, and what the model has had called."""

    def __init__(
        self, task: TaskContext, parameters: Mapping[str, Any], box: Toolbox, functions: list[dict[str, Any]]
    ) -> None:
        self._task = task
        self._box = box
        self._limit = int(parameters.get("max_steps", STEPS))
        self._format = parameters.get("format")
        self._common = {name: value for name, value in parameters.items() if name not in _OWN}
        self._tools = [*box.definitions, *functions]
        self._functions = frozenset(map(function_name, functions))
        self._begun = _messages(parameters["messages"])
        self._added: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._steps = 0
        self._usage: dict[str, int] = {}

    async def result(self) -> dict[str, Any]:
        while self._steps < self._limit:
            answer = await self._ask(tools=self._tools)
            calls = tool_calls(answer.get("tool_calls"))
            if not calls:
                return await self._answered(answer)
            own = [call for call in calls if call.name in self._functions]
            others = [call for call in calls if call.name not in self._functions]
            await self._carry_out(answer["message"], others[:MOST_CALLS], own)
            if own:
                return self._told({**answer, "tool_calls": [dict(call.written) for call in own]})
        return await self._cut_off()

    async def _ask(self, **more: Any) -> dict[str, Any]:
        """Have the model asked for the next message."""
        self._steps += 1
        conversation = [*self._begun, *self._added]
        answer: dict[str, Any] = await self._task.call(_CHAT, {**self._common, "messages": conversation, **more})
        for name, count in answer["usage"].items():
            self._usage[name] = self._usage.get(name, 0) + count
        return answer

    async def _answered(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The result that an answer makes; one of a certain form is asked for without tools, which it rules out."""
        if self._format is not None:
            answer = await self._ask(format=self._format)
        self._added.append(answer["message"])
        return self._told(answer)

    async def _cut_off(self) -> dict[str, Any]:
        self._added.append({"role": "user", "content": _ENOUGH})
        answer = await self._ask(**({} if self._format is None else {"format": self._format}))
        self._added.append(answer["message"])
        return self._told({**answer, "done_reason": "max_steps"})

    async def _carry_out(self, message: Mapping[str, Any], calls: list[ToolCall], own: list[ToolCall]) -> None:
        """Carry out the calls of one message in their order; those of the caller's own stay without an answer."""
        texts = [await self._outcome(call) for call in calls]
        self._added += with_answers(message, [*calls, *own], texts)

    async def _outcome(self, call: ToolCall) -> str:
        """What the model is told of a call."""
        tool = self._box.find(call.name)
        problem = self._box.unknown(call.name) if tool is None else call.problem
        if tool is None or problem is not None:
            return self._noted(call, tool, problem)
        await self._task.report_progress(len(self._calls), None, f"step {self._steps}: {tool.method}")
        try:
            result = await self._task.call(tool.method, tool.parameters(call.arguments))
        except GleitzeitError as error:
            if error.ambiguous or not (isinstance(error, _TOLD) or "mcp_code" in error.details):
                raise
            return self._noted(call, tool, f"{error.message}{f' ({error.hint})' if error.hint else ''}")
        self._noted(call, tool, None)
        return told(result)

    def _noted(self, call: ToolCall, tool: Tool | None, problem: str | None) -> str:
        name = call.name if tool is None else tool.method
        row = {"tool": name, "arguments": dict(call.arguments), "ok": problem is None}
        self._calls.append(row if problem is None else {**row, "error": cut(problem)})
        return "" if problem is None else cut(f"Error: {problem}")

    def _told(self, answer: Mapping[str, Any]) -> dict[str, Any]:
        facts = {"steps": self._steps, "tool_calls": len(self._calls)}
        self._task.record(model=answer.get("model"), **facts)
        return {
            **answer,
            "usage": self._usage,
            "steps": self._steps,
            "calls": self._calls,
            "messages": self._added,
        }


def _messages(given: Any) -> list[Any]:
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
