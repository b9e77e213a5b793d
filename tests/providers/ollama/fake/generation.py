"""`/api/chat` and `/api/generate`."""

from __future__ import annotations

import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import anyio
from tests.providers.ollama.fake.answer import Answer, Asked, cut, pieces
from tests.providers.ollama.fake.connection import JSON_TYPE, Connection, encoded
from tests.providers.ollama.fake.faults import Fault
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.refusals import UNEXPECTED_END, RefusedError, check_format, keep_alive_of
from tests.providers.ollama.fake.state import State, load_options, timestamp

Part = dict[str, Any]
"""What a line brings: `content`, `thinking` or `tool_calls`."""


class StruckError(Exception):
    """The fault of the node has come in the middle of an answer."""


async def generate(state: State, connection: Connection, asked: Asked, fault: Fault | None) -> None:
    """Answer one request: load the model, wait for a slot, speak."""
    started = time.monotonic_ns()
    body = asked.body
    keep_alive = keep_alive_of(body.get("keep_alive"), state.keep_alive)
    if body.get("raw") and (body.get("system") or body.get("template") or body.get("context")):
        raise RefusedError(400, "raw mode does not support template, system, or context")
    model = state.model_for(asked)
    state.counters.asked.append(asked)
    empty = not (body.get("messages") or body.get("prompt"))
    if empty and body.get("keep_alive") is not None and keep_alive == 0:
        state.runners.unload(model.name)
        await connection.answer(200, JSON_TYPE, encoded(_line(asked, {}, done_reason="unload")))
        return
    async with state.runners.using(model, load_options(asked), keep_alive) as runner:
        if empty:
            await connection.answer(200, JSON_TYPE, encoded(_line(asked, {}, done_reason="load")))
            return
        loaded = time.monotonic_ns()
        async with runner.slots:
            state.counters.running += 1
            state.counters.tell()
            try:
                await Speech(state, connection, asked, model, fault, started, loaded).give()
            finally:
                state.counters.running -= 1


class Speech:
    """One answer on its way."""

    def __init__(
        self,
        state: State,
        connection: Connection,
        asked: Asked,
        model: FakeModel,
        fault: Fault | None,
        started: int,
        loaded: int,
    ) -> None:
        self._state = state
        self._connection = connection
        self._asked = asked
        self._model = model
        self._fault = fault
        self._started = started
        self._loaded = loaded
        self._spoken = loaded
        self._given = 0

    async def give(self) -> None:
        """Send it, streamed or whole, as far as no fault comes between."""
        answer = cut(self._state.answers(self._asked), self._asked)
        try:
            if self._asked.body.get("stream") is False:
                await self._give_whole(answer)
            else:
                await self._stream(answer)
        except StruckError:
            await self._strike()

    async def _stream(self, answer: Answer) -> None:
        await self._connection.begin()
        try:
            check_format(self._asked.body.get("format"))
        except RefusedError as refused:
            await self._connection.line({"error": refused.words})
        else:
            async for part in self._parts(answer):
                await self._connection.line(_line(self._asked, part, logprobs=self._logprobs(part)))
            await self._connection.line(self._last({}, answer))
        await self._connection.end()

    async def _give_whole(self, answer: Answer) -> None:
        check_format(self._asked.body.get("format"))
        whole: Part = {"content": ""}
        logprobs: list[Any] = []
        async for part in self._parts(answer):
            for name, value in part.items():
                whole[name] = whole[name] + value if name in whole else value
            logprobs += self._logprobs(part)
        await self._connection.answer(200, JSON_TYPE, encoded(self._last(whole, answer, logprobs)))

    async def _parts(self, answer: Answer) -> AsyncIterator[Part]:
        await anyio.sleep(self._state.prompt_seconds)
        self._spoken = time.monotonic_ns()
        if self._asked.body.get("tools"):
            # The text is kept back until it is known whether it is a call.
            async for _ in self._tokens(answer.text):
                pass
            if answer.text:
                yield {"content": answer.text}
        else:
            if self._thinks():
                async for piece in self._tokens(answer.thinking):
                    yield {"thinking": piece}
            async for piece in self._tokens(answer.text):
                yield {"content": piece}
        if answer.tool_calls and self._asked.path == "/api/chat":
            yield {"tool_calls": [self._call(at, call) for at, call in enumerate(answer.tool_calls)]}

    async def _tokens(self, text: str) -> AsyncIterator[str]:
        for piece in pieces(text):
            await self._state.gate.passing(self._given)
            if self._fault is not None and self._given >= self._fault.after:
                raise StruckError
            await anyio.sleep(self._state.token_seconds)
            self._given += 1
            yield piece

    def _thinks(self) -> bool:
        wanted = self._asked.body.get("think") is not False
        return wanted and self._state.modern and "thinking" in self._model.capabilities

    def _call(self, at: int, call: Any) -> dict[str, Any]:
        function = {"name": call["name"], "arguments": call["arguments"]}
        if not self._state.modern:
            return {"function": function}
        return {"id": f"call_{zlib.crc32(encoded(call)):08x}", "function": {"index": at, **function}}

    def _logprobs(self, part: Part) -> list[dict[str, Any]]:
        if not (self._state.modern and self._asked.body.get("logprobs")) or "content" not in part:
            return []
        found = {"token": part["content"], "logprob": -0.25, "bytes": list(part["content"].encode())}
        return [{**found, "top_logprobs": [found] * self._asked.body.get("top_logprobs", 0)}]

    def _last(self, part: Part, answer: Answer, logprobs: list[Any] | None = None) -> dict[str, Any]:
        now = time.monotonic_ns()
        metrics = {
            "total_duration": now - self._started,
            "load_duration": self._loaded - self._started,
            "prompt_eval_count": self._asked.tokens(),
            "prompt_eval_duration": self._spoken - self._loaded,
            "eval_count": self._given,
            "eval_duration": now - self._spoken,
        }
        given = {name: value for name, value in metrics.items() if value}
        return _line(self._asked, part, done_reason=answer.done_reason, logprobs=logprobs, metrics=given)

    async def _strike(self) -> None:
        assert self._fault is not None
        streamed = self._asked.body.get("stream") is not False
        match self._fault.kind:
            case "reset":
                self._connection.reset()
            case "stall":
                await anyio.sleep_forever()
            case "crash":
                self._state.runners.unload(self._model.name)
                if not streamed:
                    raise RefusedError(500, UNEXPECTED_END)
                await self._connection.line({"error": UNEXPECTED_END})
                await self._connection.end()
            case _ if streamed:
                await self._connection.end()
            case _:
                await self._connection.answer(200, JSON_TYPE, encoded(_line(self._asked, {})))


def _line(
    asked: Asked,
    part: Part,
    *,
    done_reason: str | None = None,
    logprobs: list[Any] | None = None,
    metrics: dict[str, int] | None = None,
) -> dict[str, Any]:
    """One line of an answer, the last where there is a reason for its end."""
    done: dict[str, Any] = {"done": done_reason is not None}
    reason = {} if done_reason is None else {"done_reason": done_reason}
    chat = asked.path == "/api/chat"
    said = {"content": "", **part}
    if chat:
        body = {"message": {"role": "assistant", **said}, **reason, **done}
    else:
        body = {"response": said.pop("content"), **said, **done, **reason}
        if metrics is not None:
            body["context"] = [zlib.crc32(piece.encode()) % 50_000 for piece in pieces(asked.prompt)]
    extra = {"logprobs": logprobs} if logprobs else {}
    return {"model": asked.body["model"], "created_at": timestamp(), **body, **extra, **(metrics or {})}
