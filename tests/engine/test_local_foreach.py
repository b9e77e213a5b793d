"""`foreach` on the local engine."""

from __future__ import annotations

from typing import Any

import anyio.lowlevel
import pytest

from gleitzeit.core.errors import ProviderError

pytestmark = pytest.mark.anyio


def each(items: Any, **fields: Any) -> dict[str, Any]:
    parameters = {"item": "${item}", "index": "${index}"}
    return {"id": "each", "method": "test/echo", "foreach": items, "parameters": parameters, **fields}


async def picky(parameters: dict[str, Any]) -> Any:
    if parameters["item"] == "bad":
        raise ProviderError("cannot do that")
    return {"ok": parameters["item"]}


async def test_the_result_is_the_list_of_results_in_the_order_of_the_items(bench: Any) -> None:
    async def backwards(parameters: dict[str, Any]) -> Any:
        for _ in range(10 - parameters["index"]):
            await anyio.lowlevel.checkpoint()
        return parameters["item"]

    bench.method(backwards)
    run = await bench.run([each("${inputs.items}", method="test/backwards")], {"items": ["a", "b", "c"]})
    assert run.outputs == {"each": [{"result": "a"}, {"result": "b"}, {"result": "c"}]}


async def test_what_follows_sees_the_whole_list(bench: Any) -> None:
    end = {"id": "end", "method": "test/echo", "parameters": {"n": "${size(each)}", "first": "${each[0].item}"}}
    run = await bench.run([each([7, 8]), end])
    assert run.outputs == {"end": {"n": 2, "first": 7}}


async def test_an_empty_list_gives_an_empty_list(bench: Any) -> None:
    run = await bench.run([each([])])
    assert (run.status, run.outputs) == ("completed", {"each": []})


async def test_a_failed_item_fails_the_whole_and_is_named(bench: Any) -> None:
    bench.method(picky)
    run = await bench.run([each(["x", "bad", "bad"], method="test/picky")])
    task = run.tasks["each"]
    assert (run.status, task.status, task.error.code) == ("failed", "failed", "provider_failed")
    assert task.error.message == "2 of 3 items failed; the first, each[1]: cannot do that"


async def test_a_failed_item_that_may_fail_is_null(bench: Any) -> None:
    bench.method(picky)
    run = await bench.run([each(["x", "bad", "y"], method="test/picky", on_error="continue")])
    assert (run.status, run.outputs) == ("completed", {"each": [{"ok": "x"}, None, {"ok": "y"}]})


@pytest.mark.parametrize(
    ("value", "named"), [({"a": 1}, "an object"), ("text", "text"), (None, "null"), (3, "a whole number")]
)
async def test_anything_but_a_list_fails_and_is_named(bench: Any, value: Any, named: str) -> None:
    run = await bench.run([each("${inputs.value}")], {"value": value})
    assert run.tasks["each"].error.code == "parameters_invalid"
    assert named in run.tasks["each"].error.message


async def test_too_many_items_are_refused(bench: Any) -> None:
    run = await bench.run([each("${inputs.value}")], {"value": [0] * 100_001})
    assert run.tasks["each"].error.code == "limit_exceeded"


async def test_a_condition_is_asked_once_before_there_are_items(bench: Any) -> None:
    run = await bench.run([each([1, 2], when="false")])
    assert (run.status, run.tasks["each"].status) == ("completed", "skipped")


async def test_items_run_no_more_at_once_than_max_parallel(bench: Any) -> None:
    now, most = 0, 0

    async def gauge(parameters: dict[str, Any]) -> Any:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await anyio.lowlevel.checkpoint()
        now -= 1

    bench.method(gauge)
    run = await bench.run([each(list(range(10)), method="test/gauge", max_parallel=2)])
    assert run.status == "completed"
    assert most == 2


async def test_the_joined_result_is_bounded_as_any_other(bench: Any) -> None:
    await bench.start(result_bytes=1_000)
    run = await bench.run([each(["x" * 100] * 20)])
    assert (run.tasks["each"].status, run.tasks["each"].error.code) == ("failed", "limit_exceeded")
    assert run.error.code == "limit_exceeded"


async def test_a_run_whose_foreach_failed_tells_of_the_first_item_that_did(bench: Any) -> None:
    async def pick(parameters: dict[str, Any]) -> Any:
        if parameters["item"] > 1:
            raise ProviderError(f"{parameters['item']} is too much", hint="take less")

    bench.method(pick)
    task = each([1, 2, 3], method="test/pick", parameters={"item": "${item}"}, max_parallel=1)
    run = await bench.run([task])
    assert (run.error.code, run.error.hint) == ("provider_failed", "take less")
    assert run.error.message == 'task "each" failed: 1 of 3 items failed; the first, each[1]: 2 is too much'
    assert run.tasks["each"].error.message == "1 of 3 items failed; the first, each[1]: 2 is too much"
