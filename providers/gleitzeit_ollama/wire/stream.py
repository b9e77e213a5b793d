"""A streamed answer, one JSON object a line, that is only over when it says so."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable

import anyio

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError
from gleitzeit_ollama.wire.faults import translated
from gleitzeit_ollama.wire.foreign_json import JSON, json_object
from gleitzeit_ollama.wire.lines import LineBuffer
from gleitzeit_ollama.wire.patience import Patience, silent
from gleitzeit_ollama.wire.refusals import LOST, broken_off, not_ollama, snippet

_AFTER_END = 0.5
_REPEATED = "Ollama stops so when a model repeats one token too often: raise temperature or options.repeat_penalty"


def is_done(value: JSON) -> bool:
    """Whether an object is the last one of a text that a model has made."""
    return value.get("done") is True


class Stream:
    """The objects of one answer, in order; ends after the one that `is_last`.

    Raises `ProviderError` where it ends before that or brings an error, `TimeoutError` where it is silent for
    `patience.idle` seconds, `ConnectionLostError` where the connection breaks. `pieces` are the bytes as they come.
    """

    def __init__(
        self,
        shown: str,
        pieces: AsyncIterator[bytes],
        patience: Patience,
        is_last: Callable[[JSON], bool] = is_done,
    ) -> None:
        self._shown = shown
        self._pieces = pieces
        self._patience = patience
        self._is_last = is_last
        self._buffer = LineBuffer()
        self._lines: deque[bytes] = deque()
        self._first: JSON | None = None
        self._done = False

    async def open(self) -> None:
        """Wait for the first object, without a limit of its own."""
        try:
            self._first = await self._next()
        except ConnectionLostError:
            raise
        except GleitzeitError:
            self._patience.begun = False  # what has come is no answer of a model: an error, or another program's page
            raise

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
        with anyio.move_on_after(self._patience.idle):
            return await self._next()
        raise silent(self._patience.idle, self._shown, "its answer stopped in the middle", setting="timeout")

    async def _next(self) -> JSON:
        while not self._lines:
            self._lines.extend(await self._more())
        line = self._lines.popleft()
        value = json_object(line)
        if value is None:
            raise not_ollama(self._shown, f"it sends {snippet(line)}")
        if "error" in value:
            raise broken_off(self._shown, value["error"])
        self._done = self._is_last(value)
        return value

    async def _more(self) -> list[bytes]:
        with translated(self._shown):
            piece = await anext(self._pieces, None)
        if piece is not None:
            self._patience.begun = True
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
            message = f"the answer of Ollama at {self._shown} was cut off: {snippet(rest)}"
            return ConnectionLostError(message, hint=LOST, details=details)
        hint = _REPEATED if self._is_last is is_done else None
        return ProviderError(f"the stream of Ollama at {self._shown} ended before done", hint=hint, details=details)

    async def _finish(self) -> None:
        """Read to the end of the response, so that its connection can be used again, but never wait for it long."""
        with anyio.move_on_after(_AFTER_END), translated(self._shown):
            while await anext(self._pieces, None) is not None:
                pass
