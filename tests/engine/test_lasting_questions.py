"""Questions that outlive the process, the attempt or the moment in which they were asked, and who else may answer."""

from __future__ import annotations

import time
from typing import Any

import anyio
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import (
    ConflictError,
    ForbiddenError,
    NotFoundError,
    ProviderError,
    RunNotFoundError,
    ValidationError,
)
from gleitzeit.core.models import Event, Question, Run, Workflow
from gleitzeit.engine.base import Engine, Reply, Resumption, Submission
from gleitzeit.engine.local.answers import MOST_KEPT, Answers
from gleitzeit.engine.local.standstill import standstill
from gleitzeit.providers.base import current_task
from gleitzeit.store.base import Request

pytestmark = pytest.mark.anyio

AGE = {"properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
ONE = [{"id": "a", "method": "test/asking"}]


@pytest.fixture
def calls(world: Any) -> list[int]:
    """Serves a method that asks twice and may be repeated; which attempts it was carried out in."""
    attempts: list[int] = []

    async def asking(parameters: dict[str, Any]) -> Any:
        attempts.append(current_task().attempt)
        first = await current_task().ask("How old?", AGE)
        second = await current_task().ask("And she?", AGE)
        return {"ages": [first["age"], second["age"]]}

    world.method(asking)
    return attempts


def years(age: Any, **fields: Any) -> Reply:
    return Reply("accept", {"age": age}, **fields)


async def submitted(engine: Engine, tasks: list[dict[str, Any]], **settings: Any) -> Run:
    return await engine.submit(Submission(Workflow.model_validate({"tasks": tasks, "settings": settings})))


async def asked(engine: Engine, run_id: str, message: str | None = None) -> Run:
    """The run once it asks, and is asking again where it was taken up."""
    with anyio.fail_after(10):
        async for event in engine.events(run_id):
            if event.kind == "question.asked" and message in (None, event.data["message"]):
                break
        while True:
            run = await engine.wait(run_id)
            if message is None or [one.message for one in run.questions] == [message]:
                return run


async def reopened(engine: Engine, run: Run) -> Run:
    """The run once somebody asks its question again."""
    with anyio.fail_after(10):
        async for event in engine.events(run.id, run.seq):
            if event.kind == "question.asked":
                break
    return await engine.get(run.id)


async def ended(engine: Engine, run_id: str) -> Run:
    with anyio.fail_after(10):
        async for _ in engine.events(run_id):
            pass
    return await engine.get(run_id)


async def test_a_question_is_the_same_after_a_restart_and_an_answer_is_not_asked_for_again(
    world: Any, calls: list[int]
) -> None:
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
        await first.answer(run.id, run.questions[0].id, years(5))
        run = await asked(first, run.id, "And she?")
    async with world.process(carries=False) as nobody:
        seen = await nobody.get(run.id)
        assert (seen.status, seen.questions, seen.tasks["a"].metadata.get("replies")) == (
            "waiting",
            run.questions,
            None,
        )
    async with world.process() as second:
        again = await reopened(second, run)
        assert again.questions == run.questions
        await second.answer(run.id, run.questions[0].id, years(7))
        run = await ended(second, run.id)
        assert run.outputs == {"a": {"ages": [5, 7]}}
        events = [event.data["message"] async for event in second.events(run.id) if event.kind == "question.asked"]
    assert events == ["How old?", "And she?", "And she?"]
    assert calls == [1, 2]
    assert run.tasks["a"].metadata == {"interrupted": 1, "crashes": 0}


async def test_what_nobody_carries_out_is_answered_in_the_database(world: Any, calls: list[int]) -> None:
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    async with world.process(carries=False) as nobody:
        question = run.questions[0].id
        with pytest.raises(ValidationError, match="age"):
            await nobody.answer(run.id, question, years("five"))
        with pytest.raises(NotFoundError):
            await nobody.answer(run.id, "nothing", years(5))
        with pytest.raises(RunNotFoundError):
            await nobody.answer(run.id, question, years(5), caller="you")
        answered = await nobody.answer(run.id, question, years(5, answered_by="person"))
        assert (answered.status, answered.questions) == ("running", ())
        with pytest.raises(NotFoundError):
            await nobody.answer(run.id, question, years(6))
    async with world.process() as second:
        run = await asked(second, run.id, "And she?")
        await second.answer(run.id, run.questions[0].id, years(7))
        run = await ended(second, run.id)
        told = [event async for event in second.events(run.id) if event.kind == "question.answered"]
    assert run.outputs == {"a": {"ages": [5, 7]}}
    assert [event.data["answered_by"] for event in told] == ["person", "program"]


async def test_a_question_that_another_process_asks_is_answered_through_the_database(
    world: Any, calls: list[int]
) -> None:
    async with world.process() as first, world.process(carries=False) as other:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
        with anyio.fail_after(10):
            seen = await other.wait(run.id)
        assert (seen.status, seen.questions) == ("waiting", run.questions)
        with pytest.raises(ValidationError, match="age"):
            await other.answer(run.id, run.questions[0].id, years("five"))
        with anyio.fail_after(9):
            answered = await other.answer(run.id, run.questions[0].id, years(5))
        assert run.questions[0] not in answered.questions
        run = await asked(first, run.id, "And she?")
        await first.answer(run.id, run.questions[0].id, years(7))
        assert (await ended(first, run.id)).outputs == {"a": {"ages": [5, 7]}}


async def test_a_question_of_a_child_run_that_nobody_carries_out_is_answered_at_its_root(
    world: Any, calls: list[int]
) -> None:
    register_workflows(world.registry)
    task = {"id": "sub", "method": "workflow/run", "parameters": {"workflow": {"tasks": ONE}}}
    async with world.process() as first:
        run = await submitted(first, [task])
        run = await asked(first, run.id)
    async with world.process(carries=False) as nobody:
        assert (await nobody.get(run.id)).questions == run.questions
        answered = await nobody.answer(run.id, run.questions[0].id, years(5))
        assert answered.questions == ()
    async with world.process() as second:
        run = await asked(second, run.id, "And she?")
        assert [question.task_id for question in run.questions] == ["sub"]
        await second.answer(run.id, run.questions[0].id, years(7))
        assert (await ended(second, run.id)).outputs == {"sub": {"a": {"ages": [5, 7]}}}
    assert calls == [1, 2]


async def test_an_answer_is_taken_before_the_task_has_asked_again(world: Any) -> None:
    """As where it takes a while until whoever asks is up again."""
    up = anyio.Event()
    up.set()

    async def asking(_: dict[str, Any]) -> Any:
        await up.wait()
        return await current_task().ask("How old?", AGE)

    world.method(asking)
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    up = anyio.Event()
    async with world.process() as second:
        with anyio.fail_after(10):
            async for event in second.events(run.id, run.seq):
                if event.kind == "run.recovered":
                    break
        assert (await second.get(run.id)).questions == run.questions
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(second.answer, run.id, run.questions[0].id, years(5))
            await anyio.wait_all_tasks_blocked()
            up.set()
        assert (await ended(second, run.id)).outputs == {"a": {"age": 5}}


async def test_code_that_asks_something_else_after_a_restart_withdraws_what_was_open(world: Any) -> None:
    messages = ["How old?", "How tall?"]

    async def asking(_: dict[str, Any]) -> Any:
        return await current_task().ask(messages[current_task().attempt - 1])

    world.method(asking)
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    async with world.process() as second:
        run = await asked(second, run.id, "How tall?")
        await second.answer(run.id, run.questions[0].id, Reply("accept"))
        assert (await ended(second, run.id)).status == "completed"


async def test_what_must_not_be_repeated_is_unknown_and_asks_nothing_more(world: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        return await current_task().ask("How old?", AGE)

    world.method(asking, idempotent=False)
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    async with world.process() as second:
        with anyio.fail_after(10):
            async for event in second.events(run.id, run.seq):
                if event.kind == "task.unknown":
                    break
        run = await second.wait(run.id)
        assert (run.status, run.tasks["a"].status, run.questions) == ("waiting", "unknown", ())
        assert run.tasks["a"].metadata == {"parked": True}


async def test_waiting_for_an_answer_is_no_reason_to_suspect_a_task(world: Any, calls: list[int]) -> None:
    """Every other task is given up after its server has died so often while it ran."""
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    for _ in range(8):
        async with world.process() as another:
            run = await reopened(another, run)
    async with world.process() as last:
        run = await reopened(last, run)
        await last.answer(run.id, run.questions[0].id, years(5))
        run = await asked(last, run.id, "And she?")
        await last.answer(run.id, run.questions[0].id, years(7))
        assert (await ended(last, run.id)).outputs == {"a": {"ages": [5, 7]}}


async def test_an_attempt_after_one_that_failed_is_not_asked_again(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        answer = await current_task().ask("How old?", AGE)
        if current_task().attempt < 3:
            raise ProviderError("busy")
        return answer

    bench.method(asking)
    run = await bench.submit([{**ONE[0], "retry": {"max_attempts": 3}}])
    run = await asked(bench.engine, run.id)
    await bench.engine.answer(run.id, run.questions[0].id, years(5))
    run = await ended(bench.engine, run.id)
    assert (run.outputs, run.tasks["a"].attempts) == ({"a": {"age": 5}}, 3)
    kinds = [event.kind for event in await bench.events(run.id)]
    assert kinds.count("question.asked") == 1


async def test_a_resumed_run_asks_anew(bench: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        return await current_task().ask("How old?", AGE)

    bench.method(asking)
    run = await bench.submit(ONE)
    run = await asked(bench.engine, run.id)
    await bench.engine.answer(run.id, run.questions[0].id, Reply("decline"))
    run = await ended(bench.engine, run.id)
    resumed = await bench.engine.resume(run.id, Resumption())
    again = await asked(bench.engine, resumed.id)
    assert again.questions[0].id != run.id
    await bench.engine.answer(again.id, again.questions[0].id, years(5))
    assert (await ended(bench.engine, again.id)).status == "completed"


async def test_the_time_in_which_nobody_answered_does_not_count_for_the_limit_of_the_run(
    world: Any, calls: list[int]
) -> None:
    async with world.process() as first:
        run = await submitted(first, ONE, timeout=20)
        run = await asked(first, run.id)
    world.pass_time(60)
    async with world.process() as second:
        run = await reopened(second, run)
        await second.answer(run.id, run.questions[0].id, years(5))
        run = await asked(second, run.id, "And she?")
        await second.answer(run.id, run.questions[0].id, years(7))
        assert (await ended(second, run.id)).status == "completed"


def event(kind: str, at: float, question_id: str = "q") -> Event:
    return Event("run", 1, f"question.{kind}", at, "a", {"question_id": question_id})


@pytest.mark.parametrize(
    ("events", "seconds"),
    [
        ([], 0),
        ([event("asked", 1), event("answered", 3)], 2),
        ([event("asked", 1), event("asked", 2), event("withdrawn", 3)], 2),  # asked again after a restart
        ([event("asked", 1), event("asked", 2, "r"), event("answered", 3), event("answered", 6, "r")], 5),
        ([event("asked", 1), event("expired", 3), event("asked", 5)], 7),
        ([event("answered", 3)], 0),
        ([event("asked", 5), event("answered", 3)], 0),  # somebody has set the clock
        ([event("asked", 1), Event("run", 1, "task.unknown", 3, "a", {})], 2),  # its server was gone
        ([event("asked", 1), Event("run", 1, "task.completed", 3, "b", {})], 9),
    ],
)
def test_how_long_a_run_has_stood_still(events: list[Event], seconds: float) -> None:
    assert standstill(events, 10) == seconds


# Who may answer, and until when


async def ask_support(**options: Any) -> Any:
    return await current_task().support.ask("Go?", {"properties": {"go": {"type": "boolean"}}}, **options)


def serve(bench: Any, **options: Any) -> None:
    async def asking(_: dict[str, Any]) -> Any:
        return await ask_support(**options)

    bench.method(asking)


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
@pytest.mark.parametrize("by", ["model", "program"])
async def test_what_is_for_a_person_is_answered_by_nobody_else(bench: Any, by: Any, action: Any) -> None:
    serve(bench, person=True)
    run = await bench.submit(ONE)
    run = await asked(bench.engine, run.id)
    assert run.questions[0].to_dict()["person"] is True
    with pytest.raises(ForbiddenError, match="for a person") as caught:
        await bench.engine.answer(run.id, run.questions[0].id, Reply(action, {"go": True}, by))
    assert "gleitzeit runs answer" in str(caught.value.hint)
    assert (await bench.engine.get(run.id)).questions == run.questions
    await bench.engine.answer(run.id, run.questions[0].id, Reply("accept", {"go": True}, "person"))
    assert (await ended(bench.engine, run.id)).outputs == {"a": {"go": True}}


async def test_another_process_does_not_answer_for_a_person_either(world: Any) -> None:
    serve(world, person=True)
    async with world.process() as first, world.process(carries=False) as other:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
        with pytest.raises(ForbiddenError):
            await other.answer(run.id, run.questions[0].id, Reply("accept", {"go": True}, "model"))
    async with world.process(carries=False) as nobody:
        with pytest.raises(ForbiddenError):
            await nobody.answer(run.id, run.questions[0].id, Reply("accept", {"go": True}, "program"))
        await nobody.answer(run.id, run.questions[0].id, Reply("accept", {"go": True}, "person"))
    async with world.process() as second:
        assert (await ended(second, run.id)).outputs == {"a": {"go": True}}


async def test_after_its_time_the_default_is_the_answer(bench: Any) -> None:
    serve(bench, seconds=0.1, default={"go": False})
    run = await bench.submit(ONE)
    run = await ended(bench.engine, run.id)
    assert run.outputs == {"a": {"go": False}}
    told = next(event for event in await bench.events(run.id) if event.kind == "question.answered")
    assert told.data["answered_by"] == "default"


async def test_after_its_time_a_question_without_a_default_fails_the_task_once(bench: Any) -> None:
    serve(bench, seconds=0.1)
    run = await bench.submit([{**ONE[0], "retry": {"max_attempts": 3}}])
    run = await ended(bench.engine, run.id)
    error = run.tasks["a"].error
    assert error is not None
    assert (error.code, run.tasks["a"].attempts) == ("question_expired", 1)
    assert "nobody has answered in time: Go?" in error.message
    assert [event.kind for event in await bench.events(run.id) if event.kind.startswith("question.")] == [
        "question.asked",
        "question.expired",
    ]


async def test_the_time_goes_on_while_no_process_carries_the_run_out(world: Any) -> None:
    serve(world, seconds=60, default={"go": False})
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    due = run.questions[0].expires_at
    assert due is not None
    assert 50 < due - time.time() < 60
    world.pass_time(61)
    async with world.process(carries=False) as nobody:
        with pytest.raises(ConflictError, match="time of the question"):
            await nobody.answer(run.id, run.questions[0].id, Reply("accept", {"go": True}))
    async with world.process() as second:
        assert (await ended(second, run.id)).outputs == {"a": {"go": False}}


async def test_what_was_left_in_time_counts_where_it_is_found_too_late(world: Any) -> None:
    """As where whoever asked was killed before it had taken the answer."""
    serve(world, seconds=60, default={"go": False})
    async with world.process() as first:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)
    body = {"question_id": run.questions[0].id, **Reply("accept", {"go": True}).to_dict()}
    async with world.opened() as store:
        await store.request(Request(run.id, "answer", body))
    world.pass_time(61)
    async with world.process() as second:
        assert (await ended(second, run.id)).outputs == {"a": {"go": True}}


async def test_of_two_processes_that_answer_at_once_one_is_told_that_it_came_too_late(world: Any) -> None:
    serve(world)
    told: list[str] = []
    async with world.process() as first, world.process(carries=False) as one, world.process(carries=False) as two:
        run = await submitted(first, ONE)
        run = await asked(first, run.id)

        async def answer(engine: Engine, reply: Reply) -> None:
            try:
                await engine.answer(run.id, run.questions[0].id, reply)
                told.append(reply.action)
            except ConflictError as error:
                told.append(error.code)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(answer, one, Reply("accept", {"go": True}))
            tasks.start_soon(answer, two, Reply("decline"))
        ending = (await ended(first, run.id)).status
    assert sorted(told) == sorted(["conflict", "accept" if ending == "completed" else "decline"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"seconds": 0}, "cannot wait for 0 s"),
        ({"seconds": float("inf")}, "cannot wait"),
        ({"seconds": 1, "default": {"go": "maybe"}}, "the default of a question: go"),
    ],
)
async def test_a_wish_that_makes_no_sense_fails_the_task(bench: Any, options: Any, words: str) -> None:
    serve(bench, **options)
    run = await bench.run(ONE)
    assert words in run.tasks["a"].error.message


def test_replies_are_kept_as_far_as_there_is_room() -> None:
    answers = Answers()
    large = Reply("accept", {"text": "x" * (MOST_KEPT // 2)})
    for name in "abc":
        answers.note(name, large)
    assert [name for name in "abc" if answers.following().reply(name) is not None] == ["a"]


def test_the_same_question_has_another_name_each_time_and_the_same_in_every_attempt() -> None:
    def names() -> list[str]:
        answers = Answers()
        return [answers.name("run", "a", message) for message in ("x", "x", "y", "x")]

    assert names() == names()
    assert len(set(names())) == 4


def test_what_was_open_is_given_up_once_something_else_is_asked() -> None:
    left = [Question(name, "a", "?", {}, 0.0) for name in ("x", "y")]
    answers = Answers({}, left)
    assert answers.open(()) == left
    assert answers.open([left[0]]) == [left[1], left[0]]
    other = Question("z", "a", "?", {}, 0.0)
    assert answers.open([left[0], other]) == [left[0], other]
