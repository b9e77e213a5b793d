"""An answer that comes in pieces, and the result that it makes once it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import LimitError, ProviderError
from gleitzeit.core.schema import schema_problems
from gleitzeit_ollama.foreign_json import json_value

TEXT_LIMIT = 64 * 1024 * 1024

_NANOSECONDS = 1e9
_SHOWN_TEXT = 500


class Answer:
    """Collects the lines of one chat with `model`. Raises `LimitError` where its text grows over 64 MiB."""

    def __init__(self, model: str) -> None:
        self._model = model
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[Any] = []
        self._last: Mapping[str, Any] = {}
        self._size = 0

    def add(self, line: Mapping[str, Any]) -> str | None:
        """Take one line; returns the text it brings, empty where it only thinks, or nothing where it brings none."""
        self._last = line
        message = line.get("message")
        if not is_object(message):
            return None
        text, thinking = _text(message, "content"), _text(message, "thinking")
        calls = _list(message, "tool_calls")
        self._grow(len(text) + len(thinking))
        self._text.append(text)
        self._thinking.append(thinking)
        self._tool_calls.extend(calls)
        return text if text or thinking or calls else None

    def result(self, answer_format: str | Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The task's result. Raises `ProviderError` where the text is not what `answer_format` asks for."""
        text, last = "".join(self._text), self._last
        result: dict[str, Any] = {
            "response": text,
            "message": self._message(text),
            "model": _text(last, "model") or self._model,
            "done_reason": _text(last, "done_reason") or None,
            "usage": {
                "prompt_tokens": _count(last, "prompt_eval_count"),
                "completion_tokens": _count(last, "eval_count"),
            },
        }
        if self._tool_calls:
            result["tool_calls"] = self._tool_calls
        if answer_format is not None and not self._tool_calls:
            result["parsed"] = _parsed(text, answer_format, last.get("done_reason"))
        return result

    @property
    def load_seconds(self) -> float:
        """How long Ollama took to have the model ready."""
        return round(_count(self._last, "load_duration") / _NANOSECONDS, 6)

    def _message(self, text: str) -> dict[str, Any]:
        thinking = "".join(self._thinking)
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if thinking:
            message["thinking"] = thinking
        if self._tool_calls:
            message["tool_calls"] = self._tool_calls
        return message

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > TEXT_LIMIT:
            raise LimitError(f"the model's answer is over {TEXT_LIMIT:,} characters", hint="give max_tokens")


def _text(line: Mapping[str, Any], name: str) -> str:
    value = line.get(name)
    return value if isinstance(value, str) else ""


def _list(message: Mapping[str, Any], name: str) -> list[Any]:
    value = message.get(name)
    return value if is_list(value) else []


def _count(line: Mapping[str, Any], name: str) -> int:
    value = line.get(name)
    return int(value) if isinstance(value, int | float) else 0  # Ollama leaves out what is 0


def _parsed(text: str, answer_format: str | Mapping[str, Any], done_reason: Any) -> Any:
    try:
        value = json_value(text)
    except ValueError as error:
        cut = done_reason == "length"
        raise ProviderError(
            f"the model's answer is not JSON{', for it was cut off' if cut else ''}: {error}",
            hint="raise max_tokens" if cut else "say in a message that the answer must be JSON, and what is in it",
            details={"response": text[:_SHOWN_TEXT]},
        ) from error
    problems = schema_problems(answer_format, value) if isinstance(answer_format, Mapping) else []
    if problems:
        said = "; ".join(f"{path}: {message}" if path else message for path, message in problems)
        raise ProviderError(
            f"the model's answer does not fit format: {said}",
            hint="describe the fields in a message, or take a larger model",
            details={"response": text[:_SHOWN_TEXT]},
        )
    return value
