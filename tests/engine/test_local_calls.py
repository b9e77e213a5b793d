"""What the code of a task calls: written down, found again, and carried out once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from gleitzeit.audit.unwatched import UNWATCHED
from gleitzeit.core.errors import (
    ConflictError,
    ForbiddenError,
    GleitzeitError,
    LimitError,
    ProviderCrashedError,
    ProviderError,
    TimeoutError,
)
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.calls import CallingSupport
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.context import EngineParts, RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.providers.base import ProtocolProvider, TaskContext, current_task
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.base import EventDraft, RunRow, TaskRow

pytestmark = pytest.mark.anyio

SECRET = 'p"ss\nword'


class Methods(ProtocolProvider):
    """Counts what is carried out: `do/send` has an effect, `do/pay` is idempotent, `do/look` only reads."""

    def __init__(self) -> None:
        super().__init__("methods", "do/v1")
        self.described = True
        self.carried_out: list[Any] = []
        self.contexts: list[TaskContext] = []
        self.error: BaseException | None = None
        self.gate: anyio.Event | None = None
        self.begun = anyio.Event()
        self.answer: Callable[[dict[str, Any]], Awaitable[Any]] | None = None

    async def describe(self, method: str) -> MethodSpec:
        if not self.described:
            raise KeyError(method)
        return MethodSpec(method, read_only=method == "do/look", idempotent=method == "do/pay")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.carried_out.append(parameters.get("n"))
        self.contexts.append(current_task())
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return await self.answer(parameters)
        if method == "do/nest":
            return await current_task().call("do/look")
        return {"done": parameters}


class Code:
    """One task of a run: what is written of it, and attempts at it."""

    def __init__(self, methods: Methods, registry: ProtocolProviderRegistry) -> None:
        self.methods = methods
        self.rows: dict[str, TaskRow] = {}
        self.commits: list[Sequence[TaskRow]] = []
        self.events: list[EventDraft] = []
        self.told: list[EventDraft] = []
        self.task = Task.model_validate({"id": "a", "method": "do/code", "calls": ["do/*"]})
        self.attempts = 0
        self.written: Callable[[], None] = lambda: None
        workflow = Workflow.model_validate(
            {"tasks": [{"id": "a", "method": "do/code", "parameters": {"key": "${secrets.KEY}"}}]}
        )
        run = RunRow("r", "me", workflow, {}, "running", 0.0)
        given: dict[str, Any] = {
            "methods": registry,
            "clock": Clock(),
            "policy": None,
            "result_bytes": 100_000,
            "audit": UNWATCHED,
        }
        parts = EngineParts(**{one.name: cast("Any", given.get(one.name)) for one in fields(EngineParts)})
        self.context = RunContext(
            run=run,
            rows=cast("Any", self),
            roots=(Path("/somewhere"),),
            secrets=RunSecrets({"KEY": SECRET}, workflow),
            evaluator=cast("Any", None),
            results={},
            parts=parts,
            record=self._record,
            tell=self.told.append,
            meta={},
        )

    def calls(self, key: str) -> list[TaskRow]:
        """What is stored of the calls that a task has made."""
        return [row for row in self.rows.values() if row.key.startswith(f"{key}/")]

    def attempt(self, seconds: float = 60.0) -> CallingSupport:
        """Begin another attempt."""
        self.attempts += 1
        return CallingSupport("a", self.task, self.context, Deadline(seconds), attempt=self.attempts, answers=Answers)

    async def _record(self, rows: Sequence[TaskRow], events: Sequence[EventDraft]) -> None:
        self.rows |= {row.key: row for row in rows}
        self.commits.append(rows)
        self.events += events
        self.written()
        await anyio.lowlevel.checkpoint()

    @property
    def states(self) -> dict[str, str]:
        return {key: row.state for key, row in self.rows.items()}

    @property
    def kinds(self) -> list[tuple[str, str | None]]:
        return [(event.kind, event.task_id) for event in self.events]


@pytest.fixture
async def code() -> AsyncIterator[Code]:
    registry = ProtocolProviderRegistry()
    methods = Methods()
    registry.register_provider("do/v1", methods)
    async with registry.running():
        with anyio.fail_after(10):
            yield Code(methods, registry)


async def cut_off(code: Code, method: str, parameters: Mapping[str, Any]) -> None:
    """An attempt that is cancelled in the middle of this call."""
    code.methods.gate = anyio.Event()
    code.methods.begun = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(code.attempt().start_child, method, parameters)
        await code.methods.begun.wait()
        group.cancel_scope.cancel()
    code.methods.gate = None


async def test_a_call_with_an_effect_is_written_before_it_is_carried_out_and_again_after(code: Code) -> None:
    seen: list[dict[str, str]] = []
    code.methods.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(code.attempt().start_child, "do/send", {"n": 1})
        await code.methods.begun.wait()
        seen.append(code.states)
        code.methods.gate.set()
    assert seen == [{"a/1": "running"}]
    assert code.kinds == [("task.started", "a/1"), ("task.completed", "a/1")]
    row = code.rows["a/1"]
    assert (row.state, row.attempts, row.result) == ("completed", 1, {"done": {"n": 1}})
    assert {
        "method": "do/send",
        "parameters": '{"n":1}',
        "read_only": False,
        "occurrence": 1,
    }.items() <= row.metadata.items()
    assert code.events[0].data == {"method": "do/send"}
    assert row.started_at is not None
    assert row.finished_at is not None
    assert row.finished_at >= row.started_at


async def test_a_call_is_not_carried_out_where_its_task_has_ended_while_it_was_written(code: Code) -> None:
    support = code.attempt()
    code.written = support.close
    with pytest.raises(ConflictError, match="is over"):
        await support.start_child("do/send", {"n": 1})
    assert code.methods.carried_out == []


@pytest.mark.parametrize("method", ["do/look", "do/pay"])
async def test_a_call_that_may_be_repeated_costs_one_commit(code: Code, method: str) -> None:
    await code.attempt().start_child(method, {})
    assert [[row.state for row in rows] for rows in code.commits] == [["completed"]]
    assert code.kinds == [("task.started", "a/1"), ("task.completed", "a/1")]


async def test_a_later_attempt_gets_the_results_of_the_earlier_ones_again(code: Code) -> None:
    first = code.attempt()
    results = [await first.start_child("do/send", {"n": n}) for n in (1, 2)]
    results[0]["done"]["n"] = "changed"
    later = code.attempt()
    assert await later.start_child("do/send", {"n": 1}) == {"done": {"n": 1}}
    again = await later.start_child("do/send", {"n": 2.0})
    again["done"] = "changed"
    assert await code.attempt().start_child("do/send", {"n": 1}) == {"done": {"n": 1}}
    assert code.rows["a/2"].result == {"done": {"n": 2}}
    await later.start_child("do/send", {"n": 3})
    assert code.methods.carried_out == [1, 2, 3]


async def test_a_failed_call_raises_its_error_and_is_carried_out_again_by_the_next_attempt(code: Code) -> None:
    code.methods.error = ProviderError("no luck", hint="later", details={"n": 1})
    with pytest.raises(ProviderError, match="no luck") as caught:
        await code.attempt().start_child("do/send", {"n": 1})
    assert (caught.value.hint, caught.value.details, caught.value.retryable) == ("later", {"n": 1}, True)
    assert code.kinds == [("task.started", "a/1"), ("task.failed", "a/1")]
    assert code.events[-1].data["error"]["message"] == "no luck"
    code.methods.error = None
    await code.attempt().start_child("do/send", {"n": 1})
    assert (code.states, code.rows["a/1"].attempts, code.rows["a/1"].failure) == ({"a/1": "completed"}, 2, None)
    assert code.methods.contexts[-1].attempt == 2


async def test_an_attempt_that_is_cancelled_leaves_its_call_as_it_is(code: Code) -> None:
    await cut_off(code, "do/send", {"n": 1})
    assert code.states == {"a/1": "running"}
    with pytest.raises(GleitzeitError) as caught:
        await code.attempt().start_child("do/send", {"n": 1})
    assert (caught.value.code, caught.value.ambiguous) == ("interrupted", True)
    assert code.methods.carried_out == [1]


async def test_a_call_that_was_cut_off_is_repeated_where_the_task_allows_it(code: Code) -> None:
    await cut_off(code, "do/send", {"n": 1})
    code.task = Task.model_validate({**code.task.model_dump(), "retry": {"ambiguous": True}})
    await code.attempt().start_child("do/send", {"n": 1})
    assert (code.methods.carried_out, code.rows["a/1"].attempts) == ([1, 1], 2)


@pytest.mark.parametrize("method", ["do/look", "do/pay"])
async def test_a_call_that_was_cut_off_is_repeated_where_that_does_no_harm(code: Code, method: str) -> None:
    await cut_off(code, method, {"n": 1})
    assert code.states == {}
    await code.attempt().start_child(method, {"n": 1})
    assert (code.methods.carried_out, code.states) == ([1, 1], {"a/1": "completed"})
    assert len({context.idempotency_key for context in code.methods.contexts}) == 1


async def test_code_that_takes_another_way_is_stopped_before_it_has_an_effect(code: Code) -> None:
    await code.attempt().start_child("do/send", {"to": "ann"})
    later = code.attempt()
    await later.start_child("do/look", {"at": "12:01"})
    with pytest.raises(ConflictError, match="another way") as caught:
        await later.start_child("do/send", {"to": "bob"})
    assert '{"to":"ann"} (a/1)' in caught.value.message
    assert 'do/send {"to":"bob"}' in caught.value.message
    assert [context.task_id for context in code.methods.contexts] == ["a/1", "a/2"]
    assert await later.start_child("do/send", {"to": "ann"}) == {"done": {"to": "ann"}}
    await later.start_child("do/send", {"to": "bob"})


async def call_all(support: CallingSupport, numbers: Sequence[int], method: str = "do/send") -> None:
    async with anyio.create_task_group() as group:
        for number in numbers:
            group.start_soon(support.start_child, method, {"n": number})


async def test_calls_made_at_once_are_no_other_way_in_whatever_order_they_come(code: Code) -> None:
    await call_all(code.attempt(), range(300))
    for key in [f"a/{number}" for number in range(51, 301)]:  # these were not made before the crash
        del code.rows[key]
    await call_all(code.attempt(), range(299, -1, -1))
    assert sorted(code.methods.carried_out) == sorted([*range(300), *range(50, 300)])
    assert len(code.rows) == 300


async def test_a_call_with_an_effect_may_come_before_others_that_were_made_at_the_same_time(code: Code) -> None:
    await code.attempt().start_child("do/send", {"n": 1})
    later = code.attempt()
    async with anyio.create_task_group() as group:
        group.start_soon(later.start_child, "do/send", {"n": 2})
        await anyio.wait_all_tasks_blocked()
        group.start_soon(later.start_child, "do/send", {"n": 1})
    assert code.methods.carried_out == [1, 2]


async def test_the_key_of_a_call_stays_in_whatever_order_calls_come(code: Code) -> None:
    await call_all(code.attempt(), range(20), "do/pay")
    code.rows.clear()
    await call_all(code.attempt(), range(19, -1, -1), "do/pay")
    pairs = {*zip(code.methods.carried_out, (one.idempotency_key for one in code.methods.contexts), strict=True)}
    assert len(pairs) == len({key for _, key in pairs}) == 20
    assert all(key.startswith("r/a/") for _, key in pairs)


async def test_a_call_finds_a_task_of_its_own_around_it(code: Code) -> None:
    async def noting(_: dict[str, Any]) -> Any:
        task = current_task()
        task.record(node="n1", method="mine")
        await task.report_progress(1, 2, "half")
        return {}

    code.methods.answer = noting
    support = code.attempt(seconds=5)
    await support.start_child("do/send", {})
    assert current_task().task_id == ""
    assert code.rows["a/1"].metadata["node"] == "n1"
    assert code.rows["a/1"].metadata["method"] == "do/send"
    assert [(event.kind, event.task_id, event.data) for event in code.told] == [
        ("task.progress", "a/1", {"done": 1, "total": 2, "message": "half"})
    ]


async def test_a_call_has_the_time_and_the_folders_of_its_task(code: Code) -> None:
    support = code.attempt(seconds=5)
    await support.start_child("do/send", {})
    await support.start_child("do/send", {"timeout": 2})
    whole, short = code.methods.contexts
    assert 4 < (whole.remaining or 0) <= 5
    assert (short.remaining or 0) <= 2
    assert (whole.run_id, whole.task_id, whole.roots) == ("r", "a/1", (Path("/somewhere"),))
    assert whole.caller == "me"


async def test_a_call_that_takes_longer_than_it_may_is_stopped(code: Code) -> None:
    code.methods.gate = anyio.Event()
    with pytest.raises(TimeoutError, match=r"longer than 0\.01 s"):
        await code.attempt().start_child("do/send", {"timeout": 0.01})
    assert code.states == {"a/1": "failed"}


async def test_code_may_give_a_call_up_by_its_own_means(code: Code) -> None:
    code.methods.gate = anyio.Event()
    support = code.attempt()
    with pytest.raises(asyncio.TimeoutError):
        async with asyncio.timeout(0.01):
            await support.start_child("do/send", {})
    with anyio.move_on_after(0.01):
        await support.start_child("do/send", {})
    assert code.states == {"a/1": "running", "a/2": "running"}


@pytest.mark.parametrize("error", [KeyError("x"), asyncio.CancelledError(), SystemExit(3)])
async def test_whatever_a_provider_raises_is_a_failed_call(code: Code, error: BaseException) -> None:
    code.methods.error = error
    with pytest.raises(ProviderCrashedError):
        await code.attempt().start_child("do/send", {})
    assert code.states == {"a/1": "failed"}


@pytest.mark.parametrize(("answer", "error"), [({"x": "y" * 200_000}, "limit_exceeded"), (object(), "provider_failed")])
async def test_a_result_that_cannot_be_kept_fails_the_call(code: Code, answer: Any, error: str) -> None:
    async def answering(_: dict[str, Any]) -> Any:
        return answer

    code.methods.answer = answering
    with pytest.raises(GleitzeitError) as caught:
        await code.attempt().start_child("do/send", {})
    assert (caught.value.code, code.states) == (error, {"a/1": "failed"})


async def test_the_results_of_all_calls_of_a_task_have_a_limit_together(code: Code) -> None:
    async def answering(_: dict[str, Any]) -> Any:
        return {"x": "y" * 60_000}

    code.methods.answer = answering
    for support in (code.attempt(), code.attempt()):
        await support.start_child("do/send", {"n": 1})
        with pytest.raises(LimitError, match="all calls of"):
            await support.start_child("do/send", {"n": 2})
    assert code.states == {"a/1": "completed", "a/2": "failed"}


async def test_a_provider_that_cannot_describe_its_method_has_crashed(code: Code) -> None:
    code.methods.described = False
    with pytest.raises(ProviderCrashedError):
        await code.attempt().start_child("do/send", {})
    assert code.rows == {}


async def test_what_a_call_is_given_is_its_own(code: Code) -> None:
    kept: list[dict[str, Any]] = []

    async def changing(parameters: dict[str, Any]) -> Any:
        parameters["list"].append(1)
        kept.append(parameters)
        return parameters

    code.methods.answer = changing
    given: dict[str, Any] = {"list": []}
    result = await code.attempt().start_child("do/send", given)
    kept[0]["list"].append(2)
    assert (given, result, code.rows["a/1"].result) == ({"list": []}, {"list": [1]}, {"list": [1]})


async def test_a_call_that_is_given_what_is_no_data_is_refused(code: Code) -> None:
    with pytest.raises(ProviderError, match="what do/send is called with"):
        await code.attempt().start_child("do/send", {"x": object()})
    assert code.rows == {}


async def test_a_secret_arrives_and_is_not_written(code: Code) -> None:
    given = {"auth": f"Bearer {SECRET}", SECRET: 1, "json": '{"k": "p\\"ss\\nword"}', "text": "${secrets.KEY}"}
    support = code.attempt()
    result = await support.start_child("do/send", given)
    await support.start_child("do/send", {**given, "auth": "Bearer ***"})
    assert result["done"]["auth"] == "Bearer ***"
    assert "ss\\nword" not in repr(code.rows)
    shown = code.rows["a/1"].metadata["parameters"]
    assert '"auth":"Bearer ${secrets.KEY}"' in shown
    assert '"text":"$${secrets.KEY}"' in shown
    assert len(code.rows) == 2
    later = code.attempt()
    await later.start_child("do/send", given)
    assert len(code.methods.carried_out) == 2


async def test_a_secret_in_an_error_is_blacked_out(code: Code) -> None:
    code.methods.error = ProviderError(f"bad {SECRET}", hint=f"not {SECRET}")
    with pytest.raises(ProviderError, match=r"bad \*\*\*"):
        await code.attempt().start_child("do/send", {})
    assert "ss\\nword" not in repr((code.rows, code.events))


async def test_long_parameters_are_shown_in_part(code: Code) -> None:
    await code.attempt().start_child("do/send", {"x": "y" * 5000})
    shown = code.rows["a/1"].metadata["parameters"]
    assert (len(shown), shown[-1]) == (200, "…")


async def test_a_call_makes_no_calls_itself(code: Code) -> None:
    with pytest.raises(ForbiddenError, match=r"do/nest was called by the code of a task"):
        await code.attempt().start_child("do/nest", {})
    assert code.states == {"a/1": "failed"}


async def test_a_call_that_ends_after_its_task_is_not_written(code: Code) -> None:
    code.methods.gate = anyio.Event()
    support = code.attempt()

    async def late() -> None:
        with pytest.raises(ConflictError, match="a is over"):
            await support.start_child("do/send", {})

    async with anyio.create_task_group() as group:
        group.start_soon(late)
        await code.methods.begun.wait()
        support.close()
        code.methods.gate.set()
    assert code.states == {"a/1": "running"}
    with pytest.raises(ConflictError, match="a is over"):
        await support.start_child("do/look", {})


async def test_progress_is_told_as_it_can_be_until_the_task_is_over(code: Code) -> None:
    support = code.attempt()
    await support.progress(1, float("nan"), f"using {SECRET}" + "x" * 2000)
    await support.progress(None, None, None)
    support.close()
    await support.progress(2, 2, "late")
    first, second = code.told
    assert first.data == {"done": 1, "message": first.data["message"]}
    assert first.data["message"].startswith("using ***xxx")
    assert (second.data, second.task_id, second.kind) == ({}, "a", "task.progress")
