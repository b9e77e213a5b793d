"""An answer that comes in pieces, and the result that it makes once it is whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.wire.foreign_json import whole

TEXT_LIMIT = 64 * 1024 * 1024

_NANOSECONDS = 1e9


class Answer:
    """Collects the lines of one answer of `model`: of `/api/chat`, whose text is in a message, or of `/api/generate`.

    Raises `LimitError` where all that is kept of it grows over 64 MiB.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._text: list[str] = []
        self._thinking: list[str] = []
        self._tool_calls: list[Any] = []
        self._logprobs: list[Any] = []
        self._last: Mapping[str, Any] = {}
        self._size = 0

    def add(self, line: Mapping[str, Any]) -> str | None:
        """Take one line; returns the text it brings, empty where it only thinks, or nothing where it brings none."""
        self._last = line
        message = line.get("message")
        source, name = (message, "content") if is_object(message) else (line, "response")
        text, thinking = _text(source, name), _text(source, "thinking")
        calls, logprobs = _objects(source, "tool_calls"), _objects(line, "logprobs")
        self._grow(1 + len(text) + len(thinking) + _size([*calls, *logprobs]))
        self._text.append(text)
        self._thinking.append(thinking)
        self._tool_calls.extend(calls)
        self._logprobs.extend(logprobs)
        return text if text or thinking or calls else None

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def asks_for_tools(self) -> bool:
        """Whether it wants something to be called, and is no answer yet."""
        return bool(self._tool_calls)

    @property
    def cut_off(self) -> bool:
        """Whether it ended for its length, not because it was whole."""
        return self._last.get("done_reason") == "length"

    @property
    def load_seconds(self) -> float:
        """How long Ollama took to have the model ready."""
        return round(whole(self._last.get("load_duration")) / _NANOSECONDS, 6)

    @property
    def usage(self) -> dict[str, int]:
        """How many tokens were read and written."""
        return {
            "prompt_tokens": whole(self._last.get("prompt_eval_count")),
            "completion_tokens": whole(self._last.get("eval_count")),
        }

    def result(self, keeps: Collection[str] = ()) -> dict[str, Any]:
        """What every method of text returns of it, and of `message` and `context` what it `keeps`."""
        own = {"message": self._message()} if "message" in keeps else self._thoughts()
        context = _list(self._last, "context") if "context" in keeps else None
        return {
            "response": self.text,
            "model": _text(self._last, "model") or self._model,
            "done_reason": _text(self._last, "done_reason") or None,
            "usage": self.usage,
            **own,
            **({"tool_calls": self._tool_calls} if self._tool_calls else {}),
            **({"logprobs": self._logprobs} if self._logprobs else {}),
            **({"context": context} if context is not None else {}),
        }

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": self.text, **self._thoughts()}
        if self._tool_calls:
            message["tool_calls"] = self._tool_calls
        return message

    def _thoughts(self) -> dict[str, str]:
        thinking = "".join(self._thinking)
        return {"thinking": thinking} if thinking else {}

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


def _size(items: list[Any]) -> int:
    """About how long data is as text, however deeply it is nested."""
    size, waiting = 0, items
    while waiting:
        item = waiting.pop()
        size += 1 + (len(item) if isinstance(item, str) else 0)
        if is_object(item):
            size += sum(map(len, item))
            waiting.extend(item.values())
        elif is_list(item):
            waiting.extend(item)
    return size


def _objects(message: Mapping[str, Any], name: str) -> list[Any]:
    return [item for item in _list(message, name) if is_object(item)]
