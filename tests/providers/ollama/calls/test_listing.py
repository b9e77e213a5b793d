"""Which models there are, and where."""

from __future__ import annotations

from typing import Any

import pytest
from tests.providers.ollama.calls.memory_pool import MemoryPool

from gleitzeit.core.schema import schema_problems
from gleitzeit_ollama.calls.listing import models
from gleitzeit_ollama.dispatch.base import NodeState
from gleitzeit_ollama.methods.models import MODELS_SPEC
from gleitzeit_ollama.pool.base import NodeReport

pytestmark = pytest.mark.anyio

TINY = {"name": "tiny:latest", "size": 100, "digest": "abc", "family": "llama", "loaded": True}
LARGE = {"name": "large:7b", "size": 900, "digest": "def", "loaded": False}


def report(node: str, *models: dict[str, Any], state: NodeState = "healthy", error: str | None = None) -> NodeReport:
    return NodeReport(node, state, "0.5.4", error, 1.0, None, {"tiny:latest": 1}, {"tiny:latest": 0.12345}, models)


async def test_models_are_told_with_their_nodes_and_names() -> None:
    cold = {**TINY, "loaded": False}
    pool = MemoryPool(reports=(report("one", TINY, LARGE), report("two", cold)))
    result = await models(pool, {"default": "tiny", "code": "large:7b"})
    assert result["count"] == 2
    large, tiny = result["models"]
    assert (large["name"], large["nodes"], large["loaded"], large["aliases"]) == ("large:7b", ["one"], [], ["code"])
    assert (tiny["nodes"], tiny["loaded"], tiny["aliases"]) == (["one", "two"], ["one"], ["default"])
    assert (tiny["size"], tiny["digest"], tiny["details"]) == (100, "abc", {"family": "llama"})
    one = result["nodes"][0]
    assert (one["state"], one["in_flight"], one["service_seconds"]) == (
        "healthy",
        {"tiny:latest": 1},
        {"tiny:latest": 0.123},
    )
    assert (one["models"], one["loaded"]) == (["tiny:latest", "large:7b"], ["tiny:latest"])
    assert "hint" not in result
    assert schema_problems(MODELS_SPEC.returns or {}, result) == []


async def test_what_to_do_is_told_where_there_is_no_model() -> None:
    assert "ollama serve" in (await models(MemoryPool(), {}))["hint"]
    down = report("one", state="down", error="refused")
    assert "ollama serve" in (await models(MemoryPool(reports=(down,)), {}))["hint"]
    assert "ollama pull" in (await models(MemoryPool(reports=(report("one"),)), {}))["hint"]
