"""Embeddings: the texts of one call, in chunks that the nodes of the pool share."""

from __future__ import annotations

import time
from typing import Any

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.providers.base import current_task
from gleitzeit_ollama.answers.vectors import Vector, prompt_tokens, vectors
from gleitzeit_ollama.calls.batch import all_failed, failure_data
from gleitzeit_ollama.calls.inference import inference, note_usage
from gleitzeit_ollama.calls.spreading import ItemProgress, room, spread
from gleitzeit_ollama.calls.wants import want_of
from gleitzeit_ollama.methods.embeddings import Chunk, Texts, chunks
from gleitzeit_ollama.pool.base import Pool, full_name
from gleitzeit_ollama.settings import OllamaSettings

_SPOILT = frozenset({400, 413, 422, 500})
_HARMLESS = "text"


async def embed(pool: Pool, settings: OllamaSettings, parameters: dict[str, Any]) -> dict[str, Any]:
    """The result of `llm/embeddings`: `embedding` of a text, or `embeddings` of a list, in order.

    A text of a list that Ollama refuses is null there, and named in `errors`. Raises `ValidationError` or
    `ProviderError` where all are refused, and whatever is wrong with the model or the nodes.
    """
    return await _Embedding(pool, settings, Texts.of(parameters, settings)).result()


class _Embedding:
    """One call: the vectors that have come, and the texts that failed, each by its place in the list."""

    def __init__(self, pool: Pool, settings: OllamaSettings, texts: Texts) -> None:
        self._pool = pool
        self._texts = texts
        self._model = full_name(texts.model)
        self._width = room(pool, self._model, settings.max_queue)
        self._vectors: list[Vector | None] = [None] * len(texts.given)
        self._failures: dict[int, GleitzeitError] = {}
        self._tokens = 0
        self._requests = 0
        self._nodes: set[str] = set()
        self._sound = texts.alone  # of a single text, what is said is said of it
        self._asking = anyio.Lock()
        self._progress = ItemProgress(current_task().report_progress, len(texts.given))

    async def result(self) -> dict[str, Any]:
        started = time.monotonic()
        readable = self._readable()
        await self._progress.add(len(self._failures))
        await spread(chunks(readable, self._pool.places(self._model)), self._chunk, self._width)
        current_task().record(
            model=self._texts.model,
            nodes=sorted(self._nodes),
            requests=self._requests,
            duration=round(time.monotonic() - started, 6),
        )
        if self._failures:
            current_task().record(failed_items=len(self._failures))
            current_task().keep_out_of_cache("items of it failed")
            if len(self._failures) == len(self._vectors):
                raise all_failed([error for _, error in sorted(self._failures.items())])
        return self._told()

    def _readable(self) -> list[tuple[int, str]]:
        """The texts that can be sent; the others have failed by now."""
        found: list[tuple[int, str]] = []
        for index in range(len(self._texts.given)):
            try:
                found.append((index, self._texts.text(index)))
            except GleitzeitError as error:
                self._failures[index] = error
        return found

    async def _chunk(self, chunk: Chunk) -> None:
        try:
            found = await self._vectors_of(chunk.texts)
        except GleitzeitError as error:
            if error.details.get("status") not in _SPOILT:
                raise
            await self._divide(chunk, error)
            return
        self._sound = True
        for place, vector in zip(chunk.places, found, strict=True):
            self._vectors[place] = vector
        await self._progress.add(len(found))

    async def _divide(self, chunk: Chunk, error: GleitzeitError) -> None:
        """Find the texts for which a request was refused: one is enough, and the others are not to blame."""
        if len(chunk.texts) > 1:
            for half in chunk.halves():
                await self._chunk(half)
            return
        await self._try_out()
        self._failures[chunk.places[0]] = error
        await self._progress.add()

    async def _try_out(self) -> None:
        """Raise what is wrong with the request itself, if no text at all can be embedded."""
        async with self._asking:
            if not self._sound:
                await self._vectors_of((_HARMLESS,))
                self._sound = True

    async def _vectors_of(self, texts: tuple[str, ...]) -> list[Vector]:
        asked = self._texts.asked(texts)
        self._requests += 1
        with inference(asked.path, asked.model) as span:
            answer, reply = await self._pool.ask(asked.path, asked.payload, want_of(asked))
            found, tokens = vectors(answer, len(texts)), prompt_tokens(answer)
            note_usage(span, {"prompt_tokens": tokens})
        self._tokens += tokens
        self._nodes.add(reply.node)
        return found

    def _told(self) -> dict[str, Any]:
        result: dict[str, Any] = {"model": self._texts.model, "usage": {"prompt_tokens": self._tokens}}
        if self._texts.alone:
            return {"embedding": self._vectors[0], **result}
        result["embeddings"] = self._vectors
        if self._failures:
            failures = sorted(self._failures.items())
            result["errors"] = [{"index": index, **failure_data(error)} for index, error in failures]
        return result
