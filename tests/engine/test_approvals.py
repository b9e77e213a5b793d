"""Methods that a person has to approve: nothing of them is carried out before, and one yes is for one thing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import anyio
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ForbiddenError, ProviderError, QuestionDeclinedError
from gleitzeit.core.models import Question, Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.visible import visible
from gleitzeit.engine.base import Reply, Resumption, Submission
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio

PAY = {"id": "pay", "method": "test/pay", "parameters": {"amount": 5}}
YES, NO = Reply("accept", answered_by="person"), Reply("decline", answered_by="person")


def needs_yes(method: str) -> bool:
    return method == "test/pay"


class Till:
    """Counts what was paid, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.paid: list[Any] = []
        self.failures = 0

    async def pay(self, parameters: dict[str, Any]) -> Any:
        if self.failures:
            self.failures -= 1
            raise ProviderError("busy")
        self.paid.append(parameters)
        return {"paid": parameters.get("amount")}


@pytest.fixture
async def till(bench: Any) -> Till:
    """An engine in which a person has to approve `test/pay`."""
    made = Till()
    bench.provider.functions["pay"] = made.pay
    await bench.start(asks=needs_yes)
    return made


async def asked(engine: Any, run_id: str) -> Run:
    """The run once it asks."""
    with anyio.fail_after(10):
        run: Run = await engine.wait(run_id)
    assert run.questions, run
    return run


async def answered(engine: Any, run: Run, *replies: Reply) -> Run:
    """The run once each of its questions, one after the other, has its reply, and it is over."""
    for reply in replies:
        run = await asked(engine, run.id)
        await engine.answer(run.id, run.questions[0].id, reply)
    with anyio.fail_after(10):
        result: Run = await engine.wait(run.id)
    return result


async def test_nothing_is_carried_out_before_a_person_has_approved_it(bench: Any, till: Till) -> None:
    accepted = await bench.submit([PAY])
    run = await asked(bench.engine, accepted.id)
    (question,) = run.questions
    assert (run.status, till.paid, question.person) == ("waiting", [], True)
    assert question.approval is not None
    assert (question.approval["method"], question.approval["parameters"]) == ("test/pay", {"amount": 5})
    assert question.message.splitlines() == [
        f'May test/pay be carried out for the task "pay" of the run {run.id}?',
        'Its parameters: {"amount":5}',
    ]
    run = await answered(bench.engine, run, YES)
    assert (run.outputs, till.paid) == ({"pay": {"paid": 5}}, [{"amount": 5}])


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_what_is_not_approved_fails_and_is_not_tried_again(bench: Any, till: Till, action: Any) -> None:
    run = await bench.submit([{**PAY, "retry": {"max_attempts": 3}}])
    run = await answered(bench.engine, run, Reply(action, answered_by="person"))
    error = run.tasks["pay"].error
    assert error is not None
    assert (run.status, run.tasks["pay"].attempts, till.paid) == ("failed", 1, [])
    assert (error.code, error.retryable, error.details["method"]) == ("question_declined", False, "test/pay")
    assert "test/pay was not carried out" in error.message


@pytest.mark.parametrize("by", ["model", "program"])
async def test_no_model_and_no_program_approves(bench: Any, till: Till, by: Any) -> None:
    accepted = await bench.submit([PAY])
    run = await asked(bench.engine, accepted.id)
    for action in ("accept", "decline", "cancel"):
        with pytest.raises(ForbiddenError, match="for a person"):
            await bench.engine.answer(run.id, run.questions[0].id, Reply(action, {}, by))
    assert till.paid == []


async def test_a_yes_holds_for_the_next_attempt_of_the_same(bench: Any, till: Till) -> None:
    till.failures = 2
    run = await bench.submit([{**PAY, "retry": {"max_attempts": 3}}])
    run = await answered(bench.engine, run, YES)
    assert (run.status, run.tasks["pay"].attempts, len(till.paid)) == ("completed", 3, 1)
    kinds = [event.kind for event in await bench.events(run.id)]
    assert kinds.count("question.asked") == 1


async def test_a_yes_is_for_one_task_and_not_for_another_that_wants_the_same(bench: Any, till: Till) -> None:
    run = await bench.submit([PAY, {**PAY, "id": "again", "dependencies": ["pay"]}])
    run = await answered(bench.engine, run, YES, NO)
    assert (run.tasks["pay"].status, run.tasks["again"].status, len(till.paid)) == ("completed", "failed", 1)


async def test_each_item_needs_a_yes_of_its_own(bench: Any, till: Till) -> None:
    each = {**PAY, "foreach": [1, 2], "parameters": {"amount": "${item}"}, "max_parallel": 1}
    run = await answered(bench.engine, await bench.submit([each]), YES, NO)
    assert (run.status, till.paid) == ("failed", [{"amount": 1}])


def serve_caller(bench: Any, *amounts: int) -> None:
    """A method whose code pays, in the task `a`, and says what became of it."""

    async def caller(_: dict[str, Any]) -> Any:
        told: list[str] = []
        for amount in amounts:
            try:
                await current_task().call("test/pay", {"amount": amount})
            except QuestionDeclinedError:
                told.append(f"{amount} declined")
            else:
                told.append(f"{amount} paid")
        return {"told": told}

    bench.method(caller)


CALLER = [{"id": "a", "method": "test/caller", "calls": ["test/pay"]}]


async def test_what_code_calls_needs_a_yes_for_each_call(bench: Any, till: Till) -> None:
    serve_caller(bench, 5, 5, 7)
    run = await answered(bench.engine, await bench.submit(CALLER), YES, NO, YES)
    assert run.outputs == {"a": {"told": ["5 paid", "5 declined", "7 paid"]}}
    assert [entry["amount"] for entry in till.paid] == [5, 7]


async def submitted(engine: Any, *tasks: dict[str, Any]) -> Run:
    run: Run = await engine.submit(Submission(Workflow.model_validate({"tasks": tasks})))
    return await asked(engine, run.id)


async def reopened(engine: Any, run: Run) -> Run:
    """The run once it asks again."""
    with anyio.fail_after(10):
        async for event in engine.events(run.id, run.seq):
            if event.kind == "question.asked":
                break
    found: Run = await engine.get(run.id)
    return found


async def ended(engine: Any, run: Run) -> Run:
    with anyio.fail_after(10):
        async for _ in engine.events(run.id):
            pass
    found: Run = await engine.get(run.id)
    return found


async def test_after_a_restart_calls_are_approved_and_declined_as_they_were(world: Any) -> None:
    till = Till()
    world.provider.functions["pay"] = till.pay
    serve_caller(world, 5, 6, 5, 7)
    async with world.process(asks=needs_yes) as first:
        run = await submitted(first, {**CALLER[0], "retry_on_crash": True})
        for reply in (YES, NO, YES):
            await first.answer(run.id, run.questions[0].id, reply)
            run = await reopened(first, run)
    async with world.process(asks=needs_yes) as second:
        again = await reopened(second, run)
        assert again.questions == run.questions
        run = await answered(second, run, YES)
    assert run.outputs == {"a": {"told": ["5 paid", "6 declined", "5 paid", "7 paid"]}}
    assert [entry["amount"] for entry in till.paid] == [5, 5, 7]


async def test_what_must_not_be_repeated_is_asked_about_again_after_a_restart_and_done_once(world: Any) -> None:
    """Nothing of it was carried out yet, so that it is no task of which nobody knows what became."""
    till = Till()
    world.provider.functions["pay"] = till.pay
    async with world.process(asks=needs_yes) as first:
        run = await submitted(first, PAY)
    async with world.process(asks=needs_yes) as second:
        again = await reopened(second, run)
        assert again.questions == run.questions
        await second.answer(run.id, run.questions[0].id, YES)
        run = await ended(second, run)
    assert (run.status, till.paid) == ("completed", [{"amount": 5}])


async def test_a_yes_that_came_while_no_process_was_there_is_acted_upon_once(world: Any) -> None:
    till = Till()
    world.provider.functions["pay"] = till.pay
    async with world.process(asks=needs_yes) as first:
        run = await submitted(first, PAY)
    async with world.process(carries=False) as nobody:
        with pytest.raises(ForbiddenError):
            await nobody.answer(run.id, run.questions[0].id, Reply("accept", {}, "model"))
        await nobody.answer(run.id, run.questions[0].id, YES)
    async with world.process(asks=needs_yes) as second:
        run = await ended(second, run)
        kinds = [event.kind async for event in second.events(run.id)]
    assert (run.status, till.paid, kinds.count("question.asked")) == ("completed", [{"amount": 5}], 1)


async def test_a_task_that_is_cancelled_before_its_yes_was_certainly_not_carried_out(bench: Any, till: Till) -> None:
    accepted = await bench.submit([PAY])
    run = await asked(bench.engine, accepted.id)
    await bench.engine.cancel(run.id)
    resumed = await bench.engine.resume(run.id, Resumption())
    again = await asked(bench.engine, resumed.id)
    assert again.questions[0].id != run.questions[0].id
    run = await answered(bench.engine, again, YES)
    assert (run.status, len(till.paid)) == ("completed", 1)


async def test_a_resumed_run_needs_another_yes(bench: Any, till: Till) -> None:
    document = {"tasks": [PAY, {"id": "b", "method": "test/broken", "dependencies": ["pay"]}]}
    run = await answered(bench.engine, await bench.submit(document), YES)
    assert (run.status, len(till.paid)) == ("failed", 1)
    resumed = await bench.engine.resume(run.id, Resumption(from_task="pay"))
    again = await asked(bench.engine, resumed.id)
    assert len(till.paid) == 1
    await bench.engine.answer(again.id, again.questions[0].id, NO)


async def test_a_kept_result_is_not_given_without_a_yes(bench: Any, till: Till) -> None:
    bench.provider.specs["pay"] = MethodSpec(name="test/pay", read_only=True)
    document = [{**PAY, "cache": {"ttl": 60, "force": True}}]
    assert (await answered(bench.engine, await bench.submit(document), YES)).status == "completed"
    assert (await answered(bench.engine, await bench.submit(document), NO)).status == "failed"


async def test_a_child_run_asks_at_its_root(bench: Any, till: Till) -> None:
    register_workflows(bench.registry)
    task = {"id": "sub", "method": "workflow/run", "parameters": {"workflow": {"tasks": [PAY]}}}
    run = await answered(bench.engine, await bench.submit([task]), YES)
    assert run.outputs == {"sub": {"pay": {"paid": 5}}}


async def test_a_secret_is_not_shown_to_whoever_approves(bench: Any) -> None:
    made = Till()
    bench.provider.functions["pay"] = made.pay
    await bench.start(asks=needs_yes, secrets={"KEY": "sesame"})
    task = {**PAY, "parameters": {"key": "${secrets.KEY}", "note": "a sesame roll"}}
    run = await asked(bench.engine, (await bench.submit([task])).id)
    assert "sesame" not in str(run.to_dict())
    assert "${secrets.KEY}" in run.questions[0].message
    run = await answered(bench.engine, run, YES)
    assert made.paid[0]["key"] == "sesame"
    assert "sesame" not in str([event.to_dict() for event in await bench.events(run.id)])


async def test_what_is_approved_is_shown_as_it_is(bench: Any, till: Till) -> None:
    """No character hides, or turns the text around it, and what is too long says so."""
    task = {**PAY, "parameters": {"to": "a\u202eb\x1b[2K\nc", "note": "x" * 30_000}}
    run = await asked(bench.engine, (await bench.submit([task])).id)
    (question,) = run.questions
    assert r"a\u202eb\u001b[2K\nc" in question.message or "characters in all" in question.message
    assert question.message.isprintable() or question.message.replace("\n", "").isprintable()
    assert len(question.message) < 4_000
    assert "(30," in question.message
    assert question.approval is not None
    assert len(question.approval["parameters"]) < 17_000


def test_characters_that_are_not_seen_are_written_out() -> None:
    assert visible("plain") == "plain"
    assert visible("Grüße, 世界 🙂") == "Grüße, 世界 🙂"
    assert visible("a\u202eb\u200bc\x07") == r"a\u202eb\u200bc\u0007"
    assert visible("\U000e0041") == r"\udb40\udc41"


def test_a_question_is_the_same_after_it_was_written_down() -> None:
    question = Question("q", "a", "May I?", {"type": "object"}, 1.0, True, 2.0, {"go": False}, {"method": "m"})
    assert Question.from_dict(question.to_dict()) == question
    plain = replace(question, person=False, expires_at=None, default=None, approval=None)
    assert set(plain.to_dict()) == {"question_id", "task_id", "message", "schema", "asked_at"}
    assert Question.from_dict(plain.to_dict()) == plain
