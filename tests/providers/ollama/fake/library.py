"""What a node has: `/api/tags`, `/api/ps`, `/api/show`, `/api/pull`."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import anyio
from tests.providers.ollama.fake.connection import JSON_TYPE, Connection, encoded
from tests.providers.ollama.fake.model import tagged
from tests.providers.ollama.fake.refusals import RefusedError
from tests.providers.ollama.fake.state import State, timestamp

_FOREVER = 9_223_372_036_854_775_807
_STEPS = 3


def tags(state: State) -> dict[str, Any]:
    """All models."""
    return {"models": [model.installed(modern=state.modern) for model in state.models.values()]}


def ps(state: State) -> dict[str, Any]:
    """Those in memory."""
    listed: list[dict[str, Any]] = []
    for runner in state.runners.loaded():
        left = int(min(runner.expires - time.monotonic(), 3e9) * 1e9)
        expires = timestamp(min(time.time_ns() + left, _FOREVER))
        listed.append(runner.model.loaded(expires, runner.load, modern=state.modern))
    return {"models": listed}


async def show(state: State, connection: Connection, body: Mapping[str, Any]) -> None:
    """One model."""
    name = str(body.get("model") or "")
    model = state.models.get(tagged(name))
    if model is None:
        raise state.missing(name, "/api/show")
    await connection.answer(200, JSON_TYPE, encoded(model.shown(modern=state.modern)))


async def pull(state: State, connection: Connection, body: Mapping[str, Any]) -> None:
    """Bring a model from the registry, in `_STEPS` of `token_seconds` each."""
    name = str(body.get("model") or "")
    if not name:
        raise RefusedError(400, "invalid model name")
    streamed = body.get("stream") is not False
    model = state.pullable.get(tagged(name)) or state.models.get(tagged(name))
    if model is None and not streamed:
        raise RefusedError(500, "pull model manifest: file does not exist")
    if streamed:
        await connection.begin()
        await connection.line({"status": "pulling manifest"})
    if model is None:
        await connection.line({"error": "pull model manifest: file does not exist"})
        await connection.end()
        return
    layer = {"status": f"pulling {model.digest[:12]}", "digest": f"sha256:{model.digest}", "total": model.size}
    for step in range(_STEPS + 1):
        await state.gate.passing(step)
        await anyio.sleep(state.token_seconds)
        if streamed:
            await connection.line({**layer, **({"completed": model.size * step // _STEPS} if step else {})})
    state.models[tagged(name)] = model
    if not streamed:
        await connection.answer(200, JSON_TYPE, encoded({"status": "success"}))
        return
    for status in ("verifying sha256 digest", "writing manifest", "success"):
        await connection.line({"status": status})
    await connection.end()
