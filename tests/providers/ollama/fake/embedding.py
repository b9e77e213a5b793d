"""`/api/embed` and `/api/embeddings`."""

from __future__ import annotations

import time
from typing import Any

import anyio
from tests.providers.ollama.fake.answer import Asked, pieces, unit, vector
from tests.providers.ollama.fake.connection import JSON_TYPE, Connection, encoded
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.refusals import RefusedError, keep_alive_of
from tests.providers.ollama.fake.state import State, load_options

from gleitzeit.core.data import is_list


async def embed(state: State, connection: Connection, asked: Asked) -> None:
    """The vectors of all texts of a request, or a refusal of all of them."""
    started = time.monotonic_ns()
    keep_alive = keep_alive_of(asked.body.get("keep_alive"), state.keep_alive)
    texts = _texts(asked)
    model = state.model_for(asked)
    state.counters.asked.append(asked)
    async with state.runners.using(model, load_options(asked), keep_alive) as runner:
        loaded = time.monotonic_ns()
        if not texts:
            await connection.answer(200, JSON_TYPE, encoded(_answer(state, asked, model, [])))
            return
        _check_lengths(texts, asked, model)
        for _ in texts:
            async with runner.slots:
                await state.gate.passing(0)
                await anyio.sleep(state.prompt_seconds)
        answer = _answer(state, asked, model, texts)
        if asked.path == "/api/embed":
            answer["total_duration"] = time.monotonic_ns() - started
            answer["load_duration"] = loaded - started
            answer["prompt_eval_count"] = sum(len(pieces(text)) for text in texts)
    await connection.answer(200, JSON_TYPE, encoded(answer))


def _texts(asked: Asked) -> list[str]:
    if asked.path == "/api/embeddings":
        return [asked.body["prompt"]] if asked.body.get("prompt") else []
    given: Any = asked.body.get("input")
    if given is None or given == "":
        return []
    texts = given if is_list(given) else [given]
    if not all(isinstance(text, str) for text in texts):
        raise RefusedError(400, "invalid input type")
    return texts


def _check_lengths(texts: list[str], asked: Asked, model: FakeModel) -> None:
    if asked.body.get("truncate") is False and any(len(pieces(text)) > model.context_length for text in texts):
        raise RefusedError(400, "input length exceeds maximum context length")


def _answer(state: State, asked: Asked, model: FakeModel, texts: list[str]) -> dict[str, Any]:
    vectors = [vector(text, model.width) for text in texts]
    if asked.path == "/api/embeddings":
        return {"embedding": vectors[0] if vectors else []}
    dimensions = asked.body.get("dimensions") if state.modern else None
    return {"model": asked.body["model"], "embeddings": [unit(numbers[:dimensions]) for numbers in vectors]}
