"""What decides an answer, and which answers are worth keeping."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.providers.ollama.calls.memory_pool import MemoryPool

from gleitzeit.core.errors import NotFoundError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import CacheKey, TaskContext, enter_task
from gleitzeit_ollama.cache import cache_facts
from gleitzeit_ollama.settings import OllamaSettings

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HI = [{"content": "hi"}]


async def key(
    method: str = "llm/chat", *, policy: str = "repeatable", digests: tuple[str, ...] = ("abc",), **parameters: Any
) -> CacheKey | None:
    settings = OllamaSettings.model_validate({"models": {"default": "tiny"}, "cache": policy})
    return await cache_facts(MemoryPool(digests=frozenset(digests)), settings, method, parameters)


async def kept(method: str = "llm/chat", **parameters: Any) -> CacheKey:
    found = await key(method, **parameters)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "parameters", [{"temperature": 0}, {"seed": 7}, {"options": {"seed": 7}}, {"options": {"temperature": 0}}]
)
async def test_an_answer_that_comes_out_the_same_is_kept(parameters: dict[str, Any]) -> None:
    assert (await kept(messages=HI, **parameters)).repeatable
    assert (await kept("llm/generate", prompt="hi", **parameters)).repeatable


@pytest.mark.parametrize(
    "parameters", [{}, {"temperature": 0.2}, {"seed": -1}, {"seed": 3, "options": {"seed": 1}, "temperature": 1}]
)
async def test_an_answer_by_chance_is_kept_only_where_it_is_forced(parameters: dict[str, Any]) -> None:
    by_chance = "options" not in parameters
    found = await kept(messages=HI, **parameters)
    assert found.repeatable != by_chance
    assert ("without a seed" in found.reason) == by_chance
    assert (await kept(messages=HI, policy="always", **parameters)).repeatable


async def test_embeddings_are_always_the_same() -> None:
    found = await kept("llm/embeddings", text="hi")
    assert found == CacheKey({"model": "tiny:latest", "digests": ["abc"]})


async def test_the_model_decides_by_its_name_and_its_digests() -> None:
    first = await kept(messages=HI, seed=1)
    assert first.facts["model"] == "tiny:latest"
    assert (await kept(messages=HI, seed=1, model="tiny:latest")).facts == first.facts
    for other in (
        await kept(messages=HI, seed=1, digests=("def",)),
        await kept(messages=HI, seed=1, digests=("abc", "def")),
        await kept(messages=HI, seed=1, model="large"),
    ):
        assert other.facts != first.facts


@pytest.mark.parametrize("digests", [(), ("",), ("", "abc")])
async def test_where_nobody_says_which_version_a_model_has_nothing_is_kept(digests: tuple[str, ...]) -> None:
    for method, asked in (("llm/chat", {"messages": HI, "seed": 1}), ("llm/embeddings", {"text": "hi"})):
        with pytest.raises(ProviderUnavailableError, match='which version of the model "tiny"'):
            await key(method, digests=digests, policy="always", **asked)


async def test_what_tools_or_the_present_decide_is_never_kept() -> None:
    assert await key(messages=HI, seed=1, tools="mcp", policy="always") is None
    assert await key(messages=HI, seed=1, tools=["fs.*"], policy="always") is None
    assert await key("llm/models", policy="always") is None
    assert await key(messages=HI, seed=1, policy="never") is None
    assert await key("llm/embeddings", text="hi", policy="never") is None
    own = [{"type": "function", "function": {"name": "f"}}]
    assert (await kept(messages=HI, seed=1, tools=own)).repeatable


@pytest.mark.parametrize("parameters", [{}, {"messages": HI, "temperature": "hot"}, {"messages": HI, "options": [1]}])
async def test_wrong_parameters_are_told_as_such_for_nobody_has_checked_them_yet(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="llm/chat"):
        await key(**parameters)


async def test_an_image_decides_by_what_is_in_its_file(tmp_path: Path) -> None:
    leave = enter_task(TaskContext(roots=(tmp_path,)))
    try:
        photo = tmp_path / "photo.png"
        photo.write_bytes(PNG)
        parameters: dict[str, Any] = {"messages": HI, "images": ["photo.png"], "seed": 1}
        pictured = [{"content": "hi", "images": ["photo.png"]}]
        first = await kept("llm/vision", **parameters)
        assert (await kept("llm/vision", **parameters)).facts == first.facts
        batch = await kept(messages=[HI, pictured], seed=1)
        photo.write_bytes(PNG + b"more")
        assert (await kept("llm/vision", **parameters)).facts != first.facts
        assert (await kept(messages=[HI, pictured], seed=1)).facts != batch.facts
        photo.unlink()
        with pytest.raises(NotFoundError):
            await kept("llm/vision", **parameters)
    finally:
        leave()
