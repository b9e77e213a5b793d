"""What code asks of us while it runs: calls, questions, progress, all within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ForbiddenError, ProviderError
from gleitzeit.providers.base import TaskContext

pytestmark = pytest.mark.anyio


async def test_code_calls_methods_and_gets_their_results(execute: Any, engine: Any) -> None:
    code = "one = await call('a/b', x=1)\ntwo = call_sync('c/d')\nresult = [one, two]"
    assert await execute(code) == {"result": [{"method": "a/b", "x": 1}, {"method": "c/d"}]}
    assert engine.calls == [("a/b", {"x": 1}), ("c/d", {})]


async def test_many_calls_are_in_flight_at_once_and_not_too_many(execute: Any, engine: Any) -> None:
    code = "import asyncio\nanswers = await asyncio.gather(*[call('a/b', n=n) for n in range(200)])\n"
    result = await execute(code + "result = [answer['n'] for answer in answers]")
    assert result == {"result": list(range(200))}
    assert 1 < engine.most_in_flight <= 32


async def test_what_a_call_raises_can_be_caught(execute: Any, engine: Any) -> None:
    async def refuse(method: str, parameters: Mapping[str, Any]) -> Any:
        raise ForbiddenError(f"not {method}", hint="ask")

    engine.answer = refuse
    code = "from gleitzeit_sandbox import CallError, call\ntry:\n    await call('a/b')\nexcept CallError as error:\n"
    assert await execute(code + "    result = [error.code, str(error), error.hint]") == {
        "result": ["forbidden", "not a/b", "ask"]
    }


async def test_the_configuration_says_what_may_be_called_at_all_and_how_often(start: Any, task: TaskContext) -> None:
    provider = await start(calls={"allow": ["a/*"], "max_calls": 2})
    run = provider.handle_request
    with pytest.raises(ProviderError, match=r"providers\.python\.calls\.allow names a/\*"):
        await run("python/execute", {"code": "await call('b/c')"})
    assert await run("python/execute", {"code": "await call('a/b')\nawait call('a/b')\nresult = 1"}) == {"result": 1}
    with pytest.raises(ProviderError, match=r"may make 2 calls"):
        await run("python/execute", {"code": "for _ in range(3): await call('a/b')"})
    assert task.metadata["sandbox"]["calls"] == 2
    with pytest.raises(ProviderError, match="which were refused, and still more"):
        await run(
            "python/execute",
            {"code": "while True:\n    try: call_sync('a/b')\n    except Exception: pass", "timeout": 20},
        )


async def test_code_asks_and_reports(execute: Any, engine: Any) -> None:
    code = "progress(1, 2, 'half')\nanswer = await ask('Really?')\nresult = answer['asked']"
    assert await execute(code) == {"result": "Really?"}
    assert engine.reports == [(1, 2, "half")]


async def test_calls_end_with_the_code(execute: Any, engine: Any) -> None:
    ended = anyio.Event()

    async def never(method: str, parameters: Mapping[str, Any]) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    engine.answer = never
    with anyio.fail_after(5), pytest.raises(ProviderError):
        await execute("import os, asyncio\nasyncio.ensure_future(call('a/b'))\nawait asyncio.sleep(0.1)\nos._exit(5)")
    assert ended.is_set()


async def test_results_of_calls_are_bounded_altogether(execute: Any, engine: Any) -> None:
    async def large(method: str, parameters: Mapping[str, Any]) -> Any:
        return "x" * (7 << 20)

    engine.answer = large
    with pytest.raises(ProviderError, match="the results of all calls are larger than"):
        await execute("for _ in range(20): call_sync('a/b')", timeout=30)
