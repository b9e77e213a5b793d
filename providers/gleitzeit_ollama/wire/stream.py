"""A streamed answer, one JSON object a line, that is only over when it says so."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator

import anyio

from gleitzeit.core.errors import ConnectionLostError, ProviderError
from gleitzeit_ollama.faults import silent, translated
from gleitzeit_ollama.foreign_json import JSON, json_object
from gleitzeit_ollama.lines import LineBuffer
from gleitzeit_ollama.refusals import error_words, not_ollama, snippet

_AFTER_END = 0.5


class Stream:
    """The objects of one answer, in order; ends after the one with `done: true`.

    Raises `ProviderError` where it ends before that or brings an error, `TimeoutError` where it is silent for
    `idle` seconds, `ConnectionLostError` where the connection breaks. `pieces` are the bytes as they come.
    """

    def __init__(self, shown: str, pieces: AsyncIterator[bytes], idle: float) -> None:
        self._shown = shown
        self._pieces = pieces
        self._idle = idle
        self._buffer = LineBuffer()
        self._lines: deque[bytes] = deque()
        self._first: JSON | None = None
        self._done = False

    async def open(self) -> None:
        """Wait for the first object, without a limit of its own."""
        self._first = await self._next()

    def __aiter__(self) -> Stream:
        return self

    async def __anext__(self) -> JSON:
        if self._first is not None:
            first, self._first = self._first, None
            return first
        if self._done:
            await self._finish()
            raise StopAsyncIteration
        if self._lines:
            return await self._next()
        with anyio.move_on_after(self._idle):
            return await self._next()
        raise silent(self._idle, self._shown, "its answer stopped in the middle", setting="timeout")

    async def _next(self) -> JSON:
        while not self._lines:
            self._lines.extend(await self._more())
        line = self._lines.popleft()
        value = json_object(line)
        if value is None:
            raise not_ollama(self._shown, f"it sends {snippet(line)}")
        if "error" in value:
            message = f"Ollama at {self._shown} failed while answering: {error_words(value['error'])}"
            raise ProviderError(message, details={"endpoint": self._shown})
        self._done = value.get("done") is True
        return value

    async def _more(self) -> list[bytes]:
        with translated(self._shown):
            piece = await anext(self._pieces, None)
        if piece is not None:
            return self._buffer.feed(piece)
        rest = self._buffer.rest()
        if json_object(rest) is None:
            raise self._cut_off(rest)
        return [rest]

    def _cut_off(self, rest: bytes) -> ProviderError:
        details = {"endpoint": self._shown}
        if rest.strip() and not rest.lstrip().startswith(b"{"):
            return not_ollama(self._shown, f"it sends {snippet(rest)}")
        if rest.strip():
            return ConnectionLostError(
                f"the answer of Ollama at {self._shown} was cut off: {snippet(rest)}", details=details
            )
        return ProviderError(
            f"the stream of Ollama at {self._shown} ended before done",
            hint="Ollama stops so when a model repeats one token too often: raise temperature or "
            "options.repeat_penalty",
            details=details,
        )

    async def _finish(self) -> None:
        """Read to the end of the response, so that its connection can be used again, but never wait for it long."""
        with anyio.move_on_after(_AFTER_END), translated(self._shown):
            while await anext(self._pieces, None) is not None:
                pass
