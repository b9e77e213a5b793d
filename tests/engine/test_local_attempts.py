"""Attempts of a task: retries, timeouts, and whatever a provider may raise or return."""

from __future__ import annotations

import asyncio
import builtins
import dataclasses
import logging
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import (
    ConnectionLostError,
    ProviderError,
    ProviderUnavailableError,
    TimeoutError,
    ToolFailedError,
    ValidationError,
)
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio


class Script:
    """Raises what it is given, one error a call, and then succeeds."""

    def __init__(self, *errors: BaseException) -> None:
        self.errors = list(errors)
        self.calls: list[tuple[int, str]] = []

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        task = current_task()
        self.calls.append((task.attempt, task.idempotency_key))
        parameters["spoiled"] = True
        if self.errors:
            raise self.errors.pop(0)
        return {"ok": True}


def scripted(bench: Any, *errors: BaseException, **spec: Any) -> Script:
    script = Script(*errors)
    bench.provider.functions["scripted"] = script
    if spec:
        bench.provider.specs["scripted"] = MethodSpec("test/scripted", **spec)
    return script


def task(**fields: Any) -> dict[str, Any]:
    return {"id": "a", "method": "test/scripted", **fields}


async def test_a_retryable_failure_is_tried_again_after_growing_delays(bench: Any) -> None:
    script = scripted(bench, ProviderError("1"), ProviderUnavailableError("2"), ToolFailedError("3"))
    run = await bench.run([task(retry={"max_attempts": 4, "delay": 2, "exponential_backoff": True, "max_delay": 5})])
    assert (run.status, run.tasks["a"].attempts) == ("completed", 4)
    assert bench.clock.slept == [2, 4, 5]
    assert script.calls == [(attempt, f"{run.id}/a") for attempt in (1, 2, 3, 4)]
    retrying = [event.data for event in await bench.events(run.id) if event.kind == "task.retrying"]
    assert [(data["attempt"], data["delay"], data["error"]["message"]) for data in retrying] == [
        (1, 2, "1"),
        (2, 4, "2"),
        (3, 5, "3"),
    ]


async def test_a_task_fails_with_its_last_error_when_its_attempts_are_used_up(bench: Any) -> None:
    scripted(bench, ProviderError("first"), ProviderError("second"), ProviderError("third"))
    run = await bench.run([task(retry={"max_attempts": 2})])
    assert (run.tasks["a"].error.message, run.tasks["a"].attempts) == ("second", 2)


async def test_wrong_parameters_are_not_tried_again(bench: Any) -> None:
    script = scripted(bench, ValidationError("n is missing"))
    run = await bench.run([task(retry={"max_attempts": 5})])
    assert run.tasks["a"].error.code == "parameters_invalid"
    assert len(script.calls) == 1


@pytest.mark.parametrize("error", [ConnectionLostError("gone"), TimeoutError("late"), ConnectionResetError("reset")])
async def test_what_may_have_been_carried_out_is_not_repeated_and_the_run_waits(bench: Any, error: Exception) -> None:
    script = scripted(bench, error)
    run = await bench.run([task(retry={"max_attempts": 3}), {"id": "b", "method": "test/echo", "dependencies": ["a"]}])
    assert (run.status, run.tasks["a"].status, run.tasks["b"].status) == ("waiting", "unknown", "pending")
    assert run.tasks["a"].error.ambiguous
    assert len(script.calls) == 1
    assert (await bench.events(run.id))[-1].kind == "task.unknown"


async def test_a_run_that_waits_can_still_be_cancelled(bench: Any) -> None:
    scripted(bench, ConnectionLostError("gone"))
    run = await bench.run([task(), {"id": "b", "method": "test/echo", "dependencies": ["a"]}])
    run = await bench.engine.cancel(run.id)
    assert (run.status, run.tasks["a"].status, run.tasks["b"].status) == ("cancelled", "unknown", "cancelled")


@pytest.mark.parametrize("spec", [{"read_only": True}, {"idempotent": True}])
async def test_a_method_declared_harmless_is_repeated_all_the_same(bench: Any, spec: Any) -> None:
    scripted(bench, ConnectionLostError("gone"), **spec)
    run = await bench.run([task(retry={"max_attempts": 2})])
    assert (run.status, run.tasks["a"].attempts) == ("completed", 2)


async def test_idempotence_does_not_cover_the_calls_that_a_tasks_own_code_makes(bench: Any) -> None:
    scripted(bench, ConnectionLostError("gone"), idempotent=True)
    assert (await bench.run([task(retry={"max_attempts": 2}, calls=["test/*"])])).status == "waiting"


async def test_an_ambiguous_failure_is_repeated_where_the_document_allows_it(bench: Any) -> None:
    scripted(bench, ConnectionLostError("gone"))
    assert (await bench.run([task(retry={"max_attempts": 2, "ambiguous": True})])).status == "completed"


async def test_every_attempt_gets_the_parameters_of_the_document(bench: Any) -> None:
    seen: list[Any] = []

    async def scribble(parameters: dict[str, Any]) -> Any:
        seen.append({"list": list(parameters["list"]), "keys": sorted(parameters)})
        parameters["list"].append("mine")
        parameters["more"] = 1
        if len(seen) < 2:
            raise ProviderError("again")

    bench.method(scribble)
    document = [{"id": "a", "method": "test/scribble", "parameters": {"list": [1]}, "retry": {"max_attempts": 2}}]
    assert (await bench.run(document)).status == "completed"
    assert seen == [{"list": [1], "keys": ["list"]}] * 2


@pytest.mark.parametrize(
    "fields",
    [
        {"tasks": [task(method="test/hang", timeout=0.02)]},
        {"tasks": [task(method="test/hang", parameters={"timeout": 0.02})]},
        {"tasks": [task(method="test/hang")], "settings": {"default_timeout": 0.02}},
        {
            "tasks": [task(method="test/hang", timeout=0.02, parameters={"timeout": 9})],
            "settings": {"default_timeout": 9},
        },
    ],
)
async def test_an_attempt_ends_at_the_limit_that_stands_nearest_to_it(bench: Any, fields: Any) -> None:
    async def hang(parameters: dict[str, Any]) -> Any:
        assert current_task().remaining is not None
        await anyio.sleep_forever()

    bench.method(hang)
    bench.provider.specs["hang"] = MethodSpec("test/hang", read_only=True)
    run = await bench.run(fields)
    assert (run.tasks["a"].status, run.tasks["a"].error.code) == ("failed", "timeout")
    assert "0.02 s" in run.tasks["a"].error.message


@pytest.mark.parametrize("seconds", [5, 10**400], ids=["some", "more than a float holds"])
async def test_a_timeout_in_the_parameters_reaches_the_provider_too(bench: Any, seconds: int) -> None:
    run = await bench.run([{"id": "a", "method": "test/echo", "parameters": {"timeout": seconds}}])
    assert run.outputs == {"a": {"timeout": seconds}}


async def test_a_timeout_of_a_method_that_is_not_repeatable_leaves_its_fate_unknown(bench: Any) -> None:
    async def hang(parameters: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    bench.method(hang)
    run = await bench.run([task(method="test/hang", timeout=0.02)])
    assert (run.status, run.tasks["a"].status) == ("waiting", "unknown")


async def test_a_provider_that_fails_while_it_is_stopped_has_timed_out(bench: Any) -> None:
    async def clumsy(parameters: dict[str, Any]) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            raise RuntimeError("clean-up failed")

    bench.method(clumsy)
    bench.provider.specs["clumsy"] = MethodSpec("test/clumsy", read_only=True)
    run = await bench.run([task(method="test/clumsy", timeout=0.02)])
    assert run.tasks["a"].error.code == "timeout"


async def test_a_run_that_takes_too_long_fails_and_stops_what_runs(bench: Any) -> None:
    stopped = anyio.Event()

    async def hang(parameters: dict[str, Any]) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    bench.method(hang)
    tasks = [task(method="test/hang"), {"id": "b", "method": "test/echo", "dependencies": ["a"]}]
    run = await bench.run({"tasks": tasks, "settings": {"timeout": 0.02}})
    assert (run.status, run.error.code) == ("failed", "timeout")
    assert [one.status for one in run.tasks.values()] == ["cancelled", "cancelled"]
    assert stopped.is_set()


class Odd(BaseException):
    """Nobody expects this one."""


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")


class Leaving(Exception):
    def __str__(self) -> str:
        raise SystemExit


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError("no"), "provider_unavailable"),
        (BrokenPipeError("no"), "connection_lost"),
        (ConnectionResetError("no"), "connection_lost"),
        (builtins.TimeoutError("no"), "timeout"),
        (KeyError("x"), "provider_crashed"),
        (Odd("x"), "provider_crashed"),
        (SystemExit(3), "provider_crashed"),
        (asyncio.CancelledError(), "provider_crashed"),
        (StopAsyncIteration(), "provider_crashed"),
        (GeneratorExit(), "provider_crashed"),
        (Unprintable(), "provider_crashed"),
        (Leaving(), "provider_crashed"),
        (ExceptionGroup("many", [ValueError("x"), KeyError("y")]), "provider_crashed"),
        (ExceptionGroup("one", [ExceptionGroup("inner", [ProviderError("x")])]), "provider_failed"),
        (BaseExceptionGroup("one", [Odd("x")]), "provider_crashed"),
    ],
)
async def test_whatever_a_provider_raises_ends_its_task_with_a_fitting_code_and_nothing_else(
    bench: Any, error: BaseException, code: str
) -> None:
    scripted(bench, error, read_only=True)
    run = await bench.run([task(), {"id": "other", "method": "test/echo"}])
    assert (run.tasks["a"].status, run.tasks["a"].error.code) == ("failed", code)
    assert run.tasks["other"].status == "completed"
    assert (await bench.run([{"id": "a", "method": "test/echo"}])).status == "completed"


async def test_a_crash_names_the_exception_and_its_traceback_is_logged(
    bench: Any, caplog: pytest.LogCaptureFixture
) -> None:
    scripted(bench, KeyError("the key"))
    with caplog.at_level(logging.ERROR):
        run = await bench.run([task()])
    assert "KeyError: 'the key'" in run.tasks["a"].error.message
    assert any(
        text.startswith("test/scripted") and "Traceback" in text and "'the key'" in text for text in caplog.messages
    )


@dataclasses.dataclass
class Point:
    x: int
    y: tuple[int, ...]


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
        ([1, 2], {"result": [1, 2]}),
        ("text", {"result": "text"}),
        (None, {"result": None}),
        (Point(1, (2, 3)), {"x": 1, "y": [2, 3]}),
    ],
)
async def test_an_object_is_kept_as_it_is_and_anything_else_under_result(bench: Any, value: Any, result: Any) -> None:
    async def give(parameters: dict[str, Any]) -> Any:
        return value

    bench.method(give)
    assert (await bench.run([task(method="test/give")])).outputs == {"a": result}


async def test_a_result_that_is_not_data_fails_its_task(bench: Any) -> None:
    async def give(parameters: dict[str, Any]) -> Any:
        return {"x": object()}

    bench.method(give)
    run = await bench.run([task(method="test/give", retry={"max_attempts": 3})])
    assert (run.tasks["a"].error.code, run.tasks["a"].attempts) == ("provider_failed", 1)
    assert "object" in run.tasks["a"].error.message


async def test_a_result_over_its_limit_fails_its_task(bench: Any) -> None:
    async def give(parameters: dict[str, Any]) -> Any:
        return {"x": "x" * 2_000}

    bench.method(give)
    await bench.start(result_bytes=1_000)
    run = await bench.run([task(method="test/give")])
    assert run.tasks["a"].error.code == "limit_exceeded"


async def test_neither_who_returned_a_result_nor_who_was_given_it_can_change_it(bench: Any) -> None:
    mine: dict[str, Any] = {"list": [1]}

    async def give(parameters: dict[str, Any]) -> Any:
        return mine

    async def spoil(parameters: dict[str, Any]) -> Any:
        mine["list"].append("by its maker")
        parameters["got"]["list"].append("by its user")
        return {}

    bench.method(give)
    bench.method(spoil)
    spoiler = {"id": "s", "method": "test/spoil", "parameters": {"got": "${a}"}}
    end = {"id": "end", "method": "test/echo", "parameters": {"got": "${a}"}, "dependencies": ["s"]}
    run = await bench.run([task(method="test/give"), spoiler, end])
    assert run.outputs == {"end": {"got": {"list": [1]}}}
    assert run.tasks["a"].result == {"list": [1]}


async def test_facts_that_a_provider_records_are_metadata_and_not_the_result(bench: Any) -> None:
    async def note(parameters: dict[str, Any]) -> Any:
        current_task().record(node="n1", odd=object())
        return {"ok": True}

    bench.method(note)
    run = await bench.run([task(method="test/note")])
    assert run.outputs == {"a": {"ok": True}}
    assert "n1" in str(run.tasks["a"].metadata)


async def test_code_is_never_filled_in(bench: Any) -> None:
    bench.provider.specs["echo"] = MethodSpec("test/echo", code=("code",))
    parameters = {"code": "print('${inputs.x}')", "args": "${inputs.x}"}
    run = await bench.run([{"id": "a", "method": "test/echo", "parameters": parameters}], {"x": "'); evil("})
    assert run.outputs["a"] == {"code": "print('${inputs.x}')", "args": "'); evil("}


async def test_the_first_attempt_is_counted_when_it_begins(bench: Any) -> None:
    begun = anyio.Event()

    async def hang(_: dict[str, Any]) -> Any:
        begun.set()
        await anyio.sleep_forever()

    bench.method(hang)
    tasks = [{"id": "a", "method": "test/hang"}, {"id": "b", "method": "test/hang", "when": "1 == 1"}]
    run = await bench.submit(tasks)
    await begun.wait()
    started = 0
    with anyio.fail_after(5):
        async for event in bench.engine.events(run.id):
            started += event.kind == "task.started"
            if started == 2:
                break
    assert [one.attempts for one in (await bench.engine.get(run.id)).tasks.values()] == [1, 1]
    assert [one.attempts for one in (await bench.engine.cancel(run.id)).tasks.values()] == [1, 1]


async def test_parameters_that_come_to_more_than_a_result_may_have_fail_the_task(bench: Any) -> None:
    await bench.start(result_bytes=1_000)
    tasks = [{"id": "a", "method": "test/echo", "parameters": {"twice": ["${inputs.t}", "${inputs.t}"]}}]
    run = await bench.run(tasks, {"t": "x" * 600})
    error = run.tasks["a"].error
    assert (error.code, "`parameters`" in error.message) == ("limit_exceeded", True)
    outputs = {"twice": ["${inputs.t}", "${inputs.t}"]}
    run = await bench.run({"tasks": [{"id": "a", "method": "test/echo"}], "outputs": outputs}, {"t": "x" * 600})
    assert (run.status, run.error.code, "`outputs`" in run.error.message) == ("failed", "limit_exceeded", True)
