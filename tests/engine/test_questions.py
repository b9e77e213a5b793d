"""Questions of tasks: what is shown of them, who may answer, and what stands still meanwhile."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import anyio
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import (
    CancelledError,
    ConflictError,
    GleitzeitError,
    LimitError,
    NotFoundError,
    QuestionDeclinedError,
    RunNotFoundError,
    UnsupportedError,
    ValidationError,
)
from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.allowance import MOST_ASKED, MOST_BYTES, Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.inquiry import Inquiry
from gleitzeit.engine.local.open_questions import MOST_QUESTIONS, OpenQuestions
from gleitzeit.engine.local.support import Support
from gleitzeit.providers.base import TaskContext, current_task

pytestmark = pytest.mark.anyio

AGE = {"properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
ONE = [{"id": "a", "method": "test/asking"}]


def serve(bench: Any, message: str = "How old?", schema: Any = None) -> None:
    async def asking(parameters: dict[str, Any]) -> Any:
        return await current_task().ask(parameters.get("message", message), schema or AGE)

    bench.method(asking)


async def asked(bench: Any, document: Any = None, **fields: Any) -> Run:
    """A run of which a question is open."""
    accepted = await bench.submit(document or ONE, **fields)
    with anyio.fail_after(10):
        run: Run = await bench.engine.wait(accepted.id)
    assert run.questions
    return run


async def replied(bench: Any, run: Run, *replies: Reply) -> Run:
    """The run once each of its questions has its reply."""
    for question, reply in zip(run.questions, replies, strict=True):
        await bench.engine.answer(run.id, question.id, reply)
    with anyio.fail_after(10):
        result: Run = await bench.engine.wait(run.id)
    return result


def years(age: Any, **fields: Any) -> Reply:
    return Reply("accept", {"age": age}, **fields)


async def kinds(bench: Any, run: Run) -> list[tuple[str, str | None]]:
    return [(event.kind, event.task_id) for event in await bench.events(run.id)]


async def test_a_run_waits_for_an_answer_and_goes_on_with_it(bench: Any) -> None:
    serve(bench)
    run = await asked(bench)
    (question,) = run.questions
    assert (run.status, run.tasks["a"].status, run.tasks["a"].metadata) == ("waiting", "waiting", {})
    assert (question.task_id, question.message) == ("a", "How old?")
    assert question.schema == {"type": "object", **AGE}
    assert run.to_dict()["questions"] == [question.to_dict()]
    run = await replied(bench, run, years(5, answered_by="person"))
    assert (run.status, run.outputs, run.questions) == ("completed", {"a": {"age": 5}}, ())
    events = [event for event in await bench.events(run.id) if event.kind.startswith("question.")]
    assert [event.kind for event in events] == ["question.asked", "question.answered"]
    assert {event.task_id for event in events} == {"a"}
    assert events[0].data == {"question_id": question.id, "message": "How old?", "schema": question.schema}
    assert events[1].data == {"question_id": question.id, "action": "accept", "answered_by": "person"}


async def test_the_answer_itself_is_written_nowhere_but_in_what_the_task_makes_of_it(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        await current_task().ask("Which?", {"properties": {"word": {"type": "string"}}})
        return {}

    bench.method(asking)
    run = await replied(bench, await asked(bench), Reply("accept", {"word": "sesame"}))
    assert "sesame" not in str(run.to_dict())
    assert "sesame" not in str([event.to_dict() for event in await bench.events(run.id)])


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_who_does_not_answer_fails_the_task_without_another_attempt(bench: Any, action: Any) -> None:
    serve(bench)
    run = await asked(bench, [{**ONE[0], "retry": {"max_attempts": 3}}])
    run = await replied(bench, run, Reply(action))
    error = run.tasks["a"].error
    assert error is not None
    assert (run.status, error.code, error.details, run.tasks["a"].attempts) == (
        "failed",
        "question_declined",
        {"action": action},
        1,
    )
    assert isinstance(error.to_error(), QuestionDeclinedError)


async def test_code_may_go_on_without_an_answer(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        try:
            return await current_task().ask("May I?")
        except QuestionDeclinedError as error:
            return {"refused": error.details["action"]}

    bench.method(asking)
    run = await replied(bench, await asked(bench), Reply("decline"))
    assert run.outputs == {"a": {"refused": "decline"}}


@pytest.mark.parametrize(
    ("content", "words"), [({"age": "five"}, "age"), ({}, "age"), ({"age": -1}, "age"), ([], "an object")]
)
async def test_an_answer_that_does_not_fit_is_refused_and_the_question_stays_open(
    bench: Any, content: Any, words: str
) -> None:
    serve(bench)
    run = await asked(bench)
    with pytest.raises(ValidationError, match=words):
        await bench.engine.answer(run.id, run.questions[0].id, Reply("accept", content))
    assert (await bench.engine.get(run.id)).questions == run.questions
    assert (await replied(bench, run, years(5))).status == "completed"


async def test_a_question_has_one_answer(bench: Any) -> None:
    serve(bench)
    run = await asked(bench)
    await replied(bench, run, years(5))
    with pytest.raises(ConflictError, match="completed"):
        await bench.engine.answer(run.id, run.questions[0].id, years(6))


async def test_of_two_who_answer_at_once_one_is_refused(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        return [await current_task().ask("How old?", AGE), await current_task().ask("And she?", AGE)]

    bench.method(asking)
    run = await asked(bench)
    first = run.questions[0].id
    await bench.engine.answer(run.id, first, years(5))
    with pytest.raises(ConflictError, match="not open any more"):
        await bench.engine.answer(run.id, first, years(6))
    with anyio.fail_after(10):
        run = await bench.engine.wait(run.id)
    assert [question.message for question in run.questions] == ["And she?"]
    assert (await replied(bench, run, years(7))).outputs == {"a": {"result": [{"age": 5}, {"age": 7}]}}


async def test_an_unknown_question_and_somebody_else_s_run_are_not_found(bench: Any) -> None:
    serve(bench)
    run = await asked(bench, caller="me")
    with pytest.raises(NotFoundError, match="no question"):
        await bench.engine.answer(run.id, "nothing", years(5), caller="me")
    with pytest.raises(RunNotFoundError):
        await bench.engine.answer(run.id, run.questions[0].id, years(5), caller="you")
    assert (await bench.engine.get(run.id)).questions == run.questions


async def test_the_time_limit_stands_still_while_a_question_is_open(bench: Any) -> None:
    left: list[float | None] = []

    async def asking(_: dict[str, Any]) -> Any:
        task = current_task()
        left.append(task.remaining)
        await task.ask("How old?", AGE)
        left.append(task.remaining)
        kept.append(task)
        await anyio.sleep_forever()

    kept: list[TaskContext] = []
    bench.method(asking)
    run = await asked(bench, {"tasks": [{**ONE[0], "timeout": 0.3}], "settings": {"timeout": 20}})
    began = time.monotonic()
    with anyio.move_on_after(0.6):
        async for _ in bench.engine.events(run.id, run.seq):
            pytest.fail("nothing happens while it waits")
    assert (await bench.engine.get(run.id)).status == "waiting"
    run = await replied(bench, run, years(5))
    assert str(run.tasks["a"].error).startswith("test/asking took longer than 0.3 s")
    assert time.monotonic() - began > 0.6
    assert None not in left
    assert 0 < (left[1] or 0) <= (left[0] or 0) <= 0.3
    assert kept[0].remaining == 0


async def test_the_time_limit_of_the_run_stands_still_too(bench: Any) -> None:
    serve(bench)
    run = await asked(bench, {"tasks": ONE, "settings": {"timeout": 0.3}})
    with anyio.move_on_after(0.6):
        async for _ in bench.engine.events(run.id, run.seq):
            pytest.fail("nothing happens while it waits")
    assert (await replied(bench, run, years(5))).status == "completed"


async def test_a_task_that_waits_lends_its_slot(bench: Any) -> None:
    await bench.start(max_parallel_tasks=1)
    serve(bench)
    tasks = [*ONE, {"id": "b", "method": "test/echo", "parameters": {"n": 1}}]
    run = await bench.submit(tasks)
    with anyio.fail_after(10):
        async for event in bench.engine.events(run.id):
            if (event.kind, event.task_id) == ("task.completed", "b"):
                break
        run = await bench.engine.wait(run.id)
    assert (run.tasks["a"].status, run.tasks["b"].status) == ("waiting", "completed")
    assert (await replied(bench, run, years(5))).status == "completed"


async def test_items_of_a_foreach_ask_each_for_itself(bench: Any) -> None:
    serve(bench)
    each = {**ONE[0], "foreach": ["Ann", "Bob"], "parameters": {"message": "How old is ${item}?"}}
    accepted = await bench.submit([each])
    with anyio.fail_after(10):
        async for event in bench.engine.events(accepted.id):
            if event.kind == "question.asked" and event.data["message"] == "How old is Bob?":
                break
    run = await bench.engine.get(accepted.id)
    assert [(question.task_id, question.message) for question in run.questions] == [
        ("a[0]", "How old is Ann?"),
        ("a[1]", "How old is Bob?"),
    ]
    assert (await replied(bench, run, years(5), years(7))).outputs == {"a": [{"age": 5}, {"age": 7}]}


async def test_a_call_asks_as_the_task_that_makes_it_and_its_time_stands_still(bench: Any) -> None:
    serve(bench)

    async def caller(_: dict[str, Any]) -> Any:
        return await current_task().call("test/asking", {"timeout": 0.2})

    bench.method(caller)
    run = await asked(bench, [{"id": "a", "method": "test/caller", "calls": ["test/*"], "timeout": 0.3}])
    assert [question.task_id for question in run.questions] == ["a"]
    with anyio.move_on_after(0.6):
        async for _ in bench.engine.events(run.id, run.seq):
            pytest.fail("nothing happens while it waits")
    assert (await replied(bench, run, years(5))).outputs == {"a": {"age": 5}}


async def test_a_question_of_a_child_run_is_open_at_its_root_too(bench: Any) -> None:
    register_workflows(bench.registry)
    serve(bench)
    inner = {"tasks": ONE}
    middle = {"tasks": [{"id": "m", "method": "workflow/run", "parameters": {"workflow": inner}, "timeout": 0.3}]}
    task = {"id": "sub", "method": "workflow/run", "parameters": {"workflow": middle, "timeout": 0.3}}
    run = await asked(bench, [task])
    child = (await bench.store.runs(parent_id=run.id)).runs[0].id
    grandchild = (await bench.store.runs(parent_id=child)).runs[0].id
    asking = [await bench.engine.get(run_id) for run_id in (run.id, child, grandchild)]
    assert [one.questions[0].task_id for one in asking] == ["sub", "m", "a"]
    assert {one.questions[0].id for one in asking} == {run.questions[0].id}
    assert run.tasks["sub"].status == "waiting"
    with anyio.move_on_after(0.6):
        async for _ in bench.engine.events(run.id, run.seq):
            pytest.fail("nothing happens while it waits")
    run = await replied(bench, run, years(5))
    assert run.outputs == {"sub": {"m": {"a": {"age": 5}}}}
    assert ("question.answered", "sub") in await kinds(bench, run)
    assert ("question.answered", "m") in await kinds(bench, asking[1])


async def test_a_question_of_a_child_run_is_answered_at_the_child(bench: Any) -> None:
    register_workflows(bench.registry)
    serve(bench)
    task = {"id": "sub", "method": "workflow/run", "parameters": {"workflow": {"tasks": ONE}}}
    run = await asked(bench, [task])
    child = (await bench.store.runs(parent_id=run.id)).runs[0].id
    await bench.engine.answer(child, run.questions[0].id, years(5))
    with anyio.fail_after(10):
        assert (await bench.engine.wait(run.id)).outputs == {"sub": {"a": {"age": 5}}}


async def test_cancelling_the_run_closes_its_questions(bench: Any) -> None:
    errors: list[BaseException] = []

    async def asking(_: dict[str, Any]) -> Any:
        task = current_task()

        async def beside() -> None:
            try:
                await task.ask("How old?", AGE)
            except BaseException as error:
                errors.append(error)
                raise

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(beside)

    bench.method(asking)
    run = await asked(bench)
    cancelled = await bench.engine.cancel(run.id)
    assert (cancelled.status, cancelled.questions, cancelled.tasks["a"].status) == ("cancelled", (), "cancelled")
    assert cancelled.tasks["a"].metadata == {}
    with pytest.raises(ConflictError, match="cancelled"):
        await bench.engine.answer(run.id, run.questions[0].id, years(5))
    assert errors


async def test_code_that_stops_waiting_withdraws_its_question(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        with anyio.move_on_after(0.05):
            await current_task().ask("Quick?")
        return {"late": True}

    bench.method(asking)
    run = await bench.submit(ONE)
    assert [kind for kind, _ in await kinds(bench, run) if kind.startswith("question.")] == [
        "question.asked",
        "question.withdrawn",
    ]
    assert (await bench.engine.get(run.id)).outputs == {"a": {"late": True}}


async def test_a_question_of_foreign_code_ends_with_the_attempt_that_it_was_asked_for(bench: Any) -> None:
    """As a connection asks, whose own task is not that of the attempt."""
    waiting, errors = anyio.Event(), list[GleitzeitError]()
    contexts: list[TaskContext] = []

    async def asking(_: dict[str, Any]) -> Any:
        contexts.append(current_task())
        waiting.set()
        await anyio.sleep_forever()

    async def elsewhere() -> None:
        await waiting.wait()
        try:
            await contexts[0].ask("How old?", AGE)
        except GleitzeitError as error:
            errors.append(error)

    bench.method(asking)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(elsewhere)
        run = await asked(bench)
        await bench.engine.cancel(run.id)
    assert [type(error) for error in errors] == [CancelledError]
    with pytest.raises(ConflictError, match="over"):
        await contexts[0].ask("Still there?")


@pytest.mark.parametrize("schema", [{"type": "string"}, {"type": "objekt"}, {"properties": {"x": {"type": "nothing"}}}])
async def test_a_schema_that_no_object_can_be_checked_by_fails_the_task(bench: Any, schema: Any) -> None:
    serve(bench, schema=schema)
    run = await bench.run(ONE)
    assert run.tasks["a"].error.code == "parameters_invalid"
    assert "schema of a question" in run.tasks["a"].error.message


async def test_too_many_open_questions_are_refused(bench: Any) -> None:
    refused: list[LimitError] = []
    told = anyio.Event()

    async def ask(number: int) -> None:
        try:
            await current_task().ask(f"{number}?")
        except LimitError as error:
            refused.append(error)
            told.set()

    async def asking(_: dict[str, Any]) -> Any:
        async with anyio.create_task_group() as tasks:
            for number in range(MOST_QUESTIONS // 4 + 1):
                tasks.start_soon(ask, number)

    bench.method(asking)
    accepted = await bench.submit([{**ONE[0], "foreach": [1, 2, 3, 4]}])
    with anyio.fail_after(10):
        await told.wait()
    run = await bench.engine.cancel(accepted.id)
    assert await asked_in(bench, run) == MOST_QUESTIONS
    assert refused[0].message == f"{MOST_QUESTIONS} questions of this run are open, and no more may be"


async def answered_throughout(bench: Any, document: Any) -> Run:
    """The run, after whatever it asks is answered until it is over."""
    run: Run = await bench.submit(document)
    with anyio.fail_after(20):
        while True:
            run = await bench.engine.wait(run.id)
            if not run.questions:
                return run
            for question in run.questions:
                await bench.engine.answer(run.id, question.id, Reply("accept", {}))


def serve_without_end(bench: Any, schema: Any = None) -> list[int]:
    """Serve a method that asks again and again; which of its questions were answered."""
    answered: list[int] = []

    async def asking(_: dict[str, Any]) -> Any:
        for number in range(10_000):
            await current_task().ask("Again?", schema)
            answered.append(number)

    bench.method(asking)
    return answered


async def ended(bench: Any, document: Any) -> Run:
    """The run once it is over, though nobody answers."""
    accepted = await bench.submit(document)
    await bench.events(accepted.id)
    run: Run = await bench.engine.get(accepted.id)
    return run


async def asked_in(bench: Any, run: Run) -> int:
    return [kind for kind, _ in await kinds(bench, run)].count("question.asked")


async def test_an_attempt_that_asks_without_end_is_refused(bench: Any) -> None:
    answered = serve_without_end(bench)
    run = await answered_throughout(bench, ONE)
    assert run.status == "failed"
    assert run.tasks["a"].error is not None
    assert run.tasks["a"].error.code == "limit_exceeded"
    assert len(answered) == await asked_in(bench, run) == MOST_ASKED


async def test_the_questions_of_an_attempt_are_not_larger_than_they_may_be_together(bench: Any) -> None:
    answered = serve_without_end(bench, {"properties": {"a": {"description": "y" * 60_000}}})
    run = await answered_throughout(bench, ONE)
    assert len(answered) == MOST_BYTES // 60_000
    assert "larger than" in str(run.tasks["a"].error)
    assert len(str([event.data for event in await bench.events(run.id)])) < 1.1 * MOST_BYTES


async def test_calls_ask_no_more_than_the_attempt_that_makes_them(bench: Any) -> None:
    serve(bench, schema={"properties": {}})

    async def caller(_: dict[str, Any]) -> Any:
        for number in range(10_000):
            await current_task().call("test/asking", {"message": f"{number}?"})

    bench.method(caller)
    run = await answered_throughout(bench, [{"id": "a", "method": "test/caller", "calls": ["test/*"]}])
    assert "asked already" in str(run.tasks["a"].error)
    assert await asked_in(bench, run) == MOST_ASKED


async def test_who_asks_again_and_again_after_the_refusal_is_still_over_in_time(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        task = current_task()
        while True:
            with suppress(LimitError), anyio.move_on_after(0):
                await task.ask("Again?")
            await anyio.lowlevel.checkpoint()

    bench.method(asking)
    run = await ended(bench, [{**ONE[0], "timeout": 1}])
    assert str(run.tasks["a"].error).startswith("test/asking took longer than 1 s")
    assert await asked_in(bench, run) == MOST_ASKED


async def test_a_question_that_is_refused_holds_no_time_limit(bench: Any) -> None:
    moved: list[bool] = []

    async def asking(_: dict[str, Any]) -> Any:
        task = current_task()
        for number in range(MOST_ASKED):
            with anyio.move_on_after(0):
                await task.ask(f"{number}?")
        assert isinstance(task.support, Support)
        task.support.deadline.moved = lambda: moved.append(True)
        with pytest.raises(LimitError):
            await task.ask("Again?")
        return {}

    bench.method(asking)
    assert (await ended(bench, ONE)).status == "completed"
    assert moved == []


def test_of_closed_questions_only_so_many_are_remembered() -> None:
    questions, allowance = OpenQuestions(), Allowance()
    for number in range(2_000):
        question = Question(str(number), "a", "?", {}, 0.0)
        questions.add(question, Inquiry(question, Answers(), allowance, time.time))
        questions.close(question.id)
    with pytest.raises(ConflictError):
        questions.find("1999")
    with pytest.raises(NotFoundError):
        questions.find("0")


@pytest.mark.parametrize(("giver", "settled"), [("person", True), ("default", False), ("model", False)])
async def test_an_answer_to_something_else_is_no_approval_even_by_the_same_id(giver: Any, settled: bool) -> None:
    approval = Question("1", "a", "May it?", {}, 0.0, person=True, approval={"method": "test/pay"})
    answers = Answers({"1": Reply("accept", answered_by=giver)})
    assert Inquiry(approval, answers, Allowance(), time.time).settled == settled


async def test_secrets_are_in_no_question(bench: Any) -> None:
    await bench.start(secrets={"KEY": "sesame"})
    serve(bench)
    run = await asked(bench, [{**ONE[0], "parameters": {"message": "Is ${secrets.KEY} right?"}}])
    assert run.questions[0].message == "Is *** right?"


async def test_nobody_is_asked_outside_of_a_run() -> None:
    with pytest.raises(UnsupportedError, match="outside of a run"):
        await current_task().ask("Anybody there?")
