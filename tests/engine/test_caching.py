"""Which results are kept for tasks with `cache`, by what their provider says."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderError
from gleitzeit.engine.local import keeping
from gleitzeit.providers.base import CacheKey, ProtocolProvider, current_task

pytestmark = pytest.mark.anyio

FORCED = {"ttl": 60, "force": True}
ANYHOW = "; `force: true` in `cache` keeps it anyhow"


class Painter(ProtocolProvider):
    """Paints, never the same twice; `key` is what it says that decides a picture, or raises."""

    def __init__(self, key: Any) -> None:
        super().__init__("painter", "paint/v1")
        self.key = key
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.painted = 0

    async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
        self.asked.append((method, deepcopy(parameters)))
        parameters.setdefault("colours", []).append("spoiled")
        if isinstance(self.key, BaseException):
            raise self.key
        key: CacheKey | None = self.key
        return key

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.painted += 1
        current_task().record(easel="left")
        return {"painted": self.painted, "colours": parameters.get("colours")}


async def painted(bench: Any, provider: Painter, cache: dict[str, Any] | None = None, **fields: Any) -> Any:
    """The task of a run in which a picture is painted, or found."""
    bench.registry.register_provider("paint/v1", provider)
    task = {"id": "a", "method": "paint/draw", "parameters": {"colours": ["red"]}, **fields}
    run = await bench.run([{**task, "cache": cache or {"ttl": 60}}])
    assert run.status == "completed", run.error
    return run.tasks["a"]


async def test_what_a_provider_says_that_decides_a_result_tells_it_from_others(bench: Any) -> None:
    provider = Painter(CacheKey({"model": "m", "versions": ["1"]}))
    first = await painted(bench, provider)
    assert provider.asked == [("paint/draw", {"colours": ["red"]})]
    assert (first.result, first.metadata) == ({"painted": 1, "colours": ["red"]}, {"easel": "left"})
    again = await painted(bench, provider)
    assert (again.result, again.metadata["cached"]) == (first.result, True)
    provider.key = CacheKey({"model": "m", "versions": ["2"]})
    assert (await painted(bench, provider))["painted"] == 2
    provider.key = CacheKey({"versions": ["1"], "model": "m"})
    assert (await painted(bench, provider))["painted"] == 1


async def test_a_provider_is_not_asked_for_a_task_without_cache(bench: Any) -> None:
    provider = Painter(ProviderError("never"))
    bench.registry.register_provider("paint/v1", provider)
    run = await bench.run([{"id": "a", "method": "paint/draw"}])
    assert (run.tasks["a"].metadata, provider.asked) == ({"easel": "left"}, [])


@pytest.mark.parametrize(("reason", "told"), [("", "it would not come out the same again"), ("chance", "chance")])
async def test_what_would_not_come_out_the_same_is_not_kept_and_why_is_told(bench: Any, reason: str, told: str) -> None:
    provider = Painter(CacheKey({}, repeatable=False, reason=reason))
    for number in (1, 2):
        task = await painted(bench, provider)
        assert task["painted"] == number
        assert task.metadata == {"not_cached": told + ANYHOW, "easel": "left"}


async def test_it_is_kept_and_used_where_the_task_forces_that_and_only_there(bench: Any) -> None:
    provider = Painter(CacheKey({"model": "m"}, repeatable=False, reason="chance"))
    first = await painted(bench, provider, FORCED)
    assert first.metadata == {"easel": "left"}
    again = await painted(bench, provider, FORCED)
    assert (again["painted"], again.metadata["cached"]) == (1, True)
    assert (await painted(bench, provider))["painted"] == 2
    provider.key = CacheKey({"model": "other"}, repeatable=False)
    assert (await painted(bench, provider, FORCED))["painted"] == 3


async def test_what_a_provider_never_keeps_cannot_be_forced(bench: Any) -> None:
    provider = Painter(None)
    for number in (1, 2):
        task = await painted(bench, provider, FORCED)
        assert task["painted"] == number
        assert task.metadata["not_cached"] == "its provider keeps no results"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (ProviderError("no model is there"), "its provider could not say what decides it: no model is there"),
        (KeyError("colours"), "its provider could not say what decides it: KeyError: 'colours'"),
        ({"model": "m"}, "its provider could not say what decides it: TypeError: cache_key returned dict, not a"),
        (CacheKey({"model": object()}), "what its provider says that decides it is no JSON data"),
        (CacheKey({"chance": float("nan")}), "what its provider says that decides it is no JSON data"),
    ],
)
async def test_a_provider_that_cannot_say_fails_no_task_and_nothing_is_kept(bench: Any, key: Any, told: str) -> None:
    provider = Painter(key)
    for number in (1, 2):
        task = await painted(bench, provider, FORCED)
        assert task["painted"] == number
        assert task.metadata["not_cached"].startswith(told)


async def test_a_provider_that_does_not_answer_is_not_waited_for(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Painter):
        async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
            await anyio.sleep_forever()
            return None

    monkeypatch.setattr(keeping, "SECONDS", 0.01)
    task = await painted(bench, Silent(None))
    assert (task["painted"], task.metadata["not_cached"]) == (
        1,
        "its provider did not say within 0.01 s what decides it",
    )


async def test_each_attempt_and_each_item_says_why_it_is_not_kept(bench: Any) -> None:
    provider = Painter(CacheKey(repeatable=False, reason="chance"))
    bench.registry.register_provider("paint/v1", provider)
    task = {"id": "a", "method": "paint/draw", "foreach": [1, 2], "cache": {"ttl": 60}}
    run = await bench.run([task])
    rows = (await bench.store.load(run.id)).tasks
    told = [rows[key].metadata["not_cached"] for key in ("a[0]", "a[1]")]
    assert (told, provider.painted) == (["chance" + ANYHOW] * 2, 2)


async def test_what_decides_may_lie_in_a_file_that_the_task_may_read(bench: Any) -> None:
    class Copyist(Painter):
        async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
            task = current_task()
            return CacheKey({"run": task.run_id, "task": task.task_id, "roots": [str(root) for root in task.roots]})

    provider = Copyist(None)
    first = await painted(bench, provider)
    assert first.metadata == {"easel": "left"}
    assert (await painted(bench, provider))["painted"] == 2  # the key has the run in it, which is another one


async def test_a_result_that_its_provider_finds_incomplete_is_not_kept(bench: Any) -> None:
    class Interrupted(Painter):
        async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
            result = await super().handle_request(method, parameters)
            if self.painted == 1:
                current_task().keep_out_of_cache("the light went")
            return result

    provider = Interrupted(CacheKey())
    first = await painted(bench, provider)
    assert first.metadata == {"easel": "left", "not_cached": "the light went"}
    assert (await painted(bench, provider))["painted"] == 2
    assert (await painted(bench, provider))["painted"] == 2
