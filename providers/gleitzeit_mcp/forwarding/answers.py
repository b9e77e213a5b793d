"""What a server asks while a call is under way, answered by the task that the call is made for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import GleitzeitError, QuestionDeclinedError, UnsupportedError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp.methods import SAMPLING_METHOD
from gleitzeit_mcp.session.errors import METHOD_NOT_FOUND, RefusedError

_STOPPED = {"stop": "endTurn", "length": "maxTokens"}


class TaskAnswers:
    """Puts a server's questions to the person behind the task, and its requests for a model to `llm/chat`.

    The latter only where the configuration says so.
    """

    def __init__(
        self,
        server: str,
        task: TaskContext,
        *,
        sampling: bool,
        roots: Mapping[str, Any] | None,
        redact: Callable[[str], str] = str,
    ) -> None:
        self._server = server
        self._task = task
        self._sampling = sampling
        self._roots = roots
        self._redact = redact

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The result of one request. Raises `RefusedError` where it is refused."""
        params = request.get("params")
        asked = params if is_object(params) else {}
        match request["method"]:
            case "elicitation/create":
                return await self._elicit(asked)
            case "sampling/createMessage":
                return await self._sample(asked)
            case "roots/list":
                return {"roots": []} if self._roots is None else dict(self._roots)
            case method:
                raise RefusedError(f"this client has no method {method}", METHOD_NOT_FOUND)

    async def _elicit(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        message = self._redact(str(asked.get("message") or "The server asks for input."))
        schema = asked.get("requestedSchema")
        url = str(asked.get("url")) if asked.get("mode") == "url" else None
        if url is not None and not url.startswith(("https://", "http://")):
            raise RefusedError(f"a person is sent to a page of the web only, and not to {url[:100]}")
        words = f"{self._server} asks: {message}" + (f"\nOpen {url} and say here when it is done." if url else "")
        try:
            content = await self._task.ask(words, schema if is_object(schema) and not url else None)
        except QuestionDeclinedError as declined:
            return {"action": declined.details.get("action", "decline")}
        except UnsupportedError as error:
            raise RefusedError(error.message) from error
        return {"action": "accept", **({} if url else {"content": content})}

    async def _sample(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        if not self._sampling:
            raise RefusedError(
                "sampling is not allowed here; `mcp: {sampling: ollama}` in Gleitzeit's configuration lets a local "
                "model answer"
            )
        try:
            answer = await self._task.call(SAMPLING_METHOD, chat_parameters(asked))
        except GleitzeitError as error:
            raise RefusedError(f"the local model did not answer: {error.message}") from error
        return {
            "role": "assistant",
            "content": {"type": "text", "text": str(answer.get("response", ""))},
            "model": str(answer.get("model", "")),
            "stopReason": _STOPPED.get(str(answer.get("done_reason")), "endTurn"),
        }


def chat_parameters(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What `llm/chat` is called with for a server's request for a model's answer.

    Raises `RefusedError` for content that is neither text nor an image.
    """
    if asked.get("tools"):
        raise RefusedError("sampling with tools is not supported here")
    system = asked.get("systemPrompt")
    messages: list[dict[str, Any]] = [{"role": "system", "content": system}] if isinstance(system, str) else []
    given = asked.get("messages")
    messages += [_message(message) for message in (given if is_list(given) else ()) if is_object(message)]
    wanted = {"max_tokens": asked.get("maxTokens"), "temperature": asked.get("temperature")}
    stop = asked.get("stopSequences")
    return {
        "messages": messages,
        **{key: value for key, value in wanted.items() if value is not None},
        **({"stop": stop} if stop else {}),
    }


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    blocks: Sequence[Any] = content if is_list(content) else [content]
    texts: list[str] = []
    images: list[str] = []
    for block in blocks:
        kind = block.get("type") if is_object(block) else None
        if kind == "text":
            texts.append(str(block.get("text", "")))
        elif kind == "image":
            images.append(str(block.get("data", "")))
        else:
            raise RefusedError(f"sampling with content of type {kind!r} is not supported here")
    return {
        "role": message.get("role", "user"),
        "content": "\n".join(texts),
        **({"images": images} if images else {}),
    }
