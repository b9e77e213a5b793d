"""What stays of a run that is resumed: by example, and for random runs against the plan that goes on from it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gleitzeit.core.decisions import Decision
from gleitzeit.core.errors import ConflictError, ValidationError
from gleitzeit.core.models import TaskState, Workflow
from gleitzeit.core.plan import Plan
from gleitzeit.core.plan_actions import Action, Finish, Join, Outcome, OutcomeKind, Skip, Start
from gleitzeit.core.resumption import Kept, Past, Wish, what_is_kept


@dataclass(frozen=True)
class Row:
    state: TaskState
    expanded: int | None = None


def document(*tasks: Mapping[str, Any], **fields: Any) -> Workflow:
    return Workflow.model_validate({"tasks": [{"method": "test/do", **task} for task in tasks], **fields})


def states(**found: TaskState) -> dict[str, Row]:
    return {key: Row(state) for key, state in found.items()}


def kept_of(
    before: Workflow,
    rows: Mapping[str, Row],
    after: Workflow | None = None,
    *,
    inputs: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
    from_task: str | None = None,
    unknown: Mapping[str, Decision] | None = None,
    completed: bool = False,
) -> Kept:
    past = Past(before, inputs[0], rows, completed)
    return what_is_kept(past, Wish(after or before, inputs[1], from_task, unknown or {}))


CHAIN = document({"id": "a"}, {"id": "b", "dependencies": ["a"]}, {"id": "c", "dependencies": ["b"]}, {"id": "d"})
DONE = states(a="completed", b="completed", c="completed", d="completed")


def test_what_ended_well_is_kept_and_the_rest_runs_again() -> None:
    kept = kept_of(CHAIN, states(a="completed", b="failed", c="skipped", d="completed"))
    assert kept == Kept(("a", "d"))


def test_a_task_skipped_by_its_own_condition_is_kept_with_what_came_after_it() -> None:
    kept = kept_of(CHAIN, states(a="skipped", b="completed", c="failed", d="cancelled"))
    assert kept.rows == ("a", "b")


def test_what_depends_on_a_failure_that_was_allowed_runs_again_with_it() -> None:
    workflow = document({"id": "a", "on_error": "continue"}, {"id": "b", "dependencies": ["a"]})
    assert kept_of(workflow, states(a="failed", b="completed")).rows == ()


def test_the_named_task_runs_again_and_takes_along_what_waits_for_it() -> None:
    assert kept_of(CHAIN, DONE, from_task="b", completed=True).rows == ("a", "d")


def test_nothing_left_to_do_is_a_conflict_that_names_the_way_out() -> None:
    with pytest.raises(ConflictError) as caught:
        kept_of(CHAIN, DONE, completed=True)
    assert "from_task" in (caught.value.hint or "")


def test_a_completed_run_with_other_outputs_has_something_left_to_do() -> None:
    after = document(*(task.model_dump() for task in CHAIN.tasks), outputs={"x": "${a}"})
    assert kept_of(CHAIN, DONE, after, completed=True).rows == ("a", "d", "b", "c")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"parameters": {"x": 1.0}}, True),
        ({"parameters": {"x": True}}, False),
        ({"method": "test/other"}, False),
        ({"when": True}, False),
        ({"trigger_rule": "all_done"}, False),
        ({"calls": ["test/*"]}, False),
        ({"foreach": [1]}, False),
        ({"dependencies": ["other"]}, False),
        ({"dependencies": []}, False),
        ({"dependencies": ["The first"]}, True),
        ({"name": "label"}, True),
        ({"timeout": 5, "retry": {"max_attempts": 3}}, True),
        ({"on_error": "continue", "retry_on_crash": False, "max_parallel": 2, "cache": {"ttl": 1}}, True),
    ],
)
def test_only_what_decides_a_result_makes_a_task_run_again(change: Mapping[str, Any], same: bool) -> None:
    first = [{"id": "first", "name": "The first"}, {"id": "other"}]
    task: dict[str, Any] = {"id": "task", "parameters": {"x": 1}, "dependencies": ["first"]}
    rows = states(first="completed", other="completed", task="completed")
    kept = kept_of(document(*first, task), rows, document(*first, {**task, **change}))
    assert ("task" in kept.rows) is same


@pytest.mark.parametrize(
    ("task", "same"),
    [
        ({"parameters": {"x": "${inputs.one}"}}, False),
        ({"parameters": {"x": ["a ${input.one} b"]}}, False),
        ({"parameters": {"x": "${inputs}"}}, False),
        ({"parameters": {"x": "${size(inputs.one)}"}}, False),
        ({"parameters": {"x": "${size(inputs)}"}}, False),
        ({"parameters": {"x": '${inputs["o" + "ne"]}'}}, False),
        ({"when": "inputs.one == 'x'"}, False),
        ({"foreach": "${inputs.one}"}, False),
        ({"parameters": {"x": "${inputs.two}"}, "when": "input.two > 1"}, True),
        ({"parameters": {"x": "no reference"}}, True),
    ],
)
def test_a_task_runs_again_where_an_input_that_it_refers_to_has_another_value(
    task: Mapping[str, Any], same: bool
) -> None:
    workflow = document({"id": "task", **task})
    inputs = {"one": 1, "two": 2}, {"one": True, "two": 2}
    assert bool(kept_of(workflow, states(task="completed"), inputs=inputs).rows) is same


def test_an_input_that_is_new_counts_as_changed() -> None:
    workflow = document({"id": "task", "parameters": {"x": "${inputs.one}"}})
    assert kept_of(workflow, states(task="completed"), inputs=({}, {"one": None})).rows == ()


EACH = document({"id": "a"}, {"id": "each", "foreach": "${a}", "dependencies": ["a"]})
HALF = {
    "a": Row("completed"),
    "each": Row("failed", 4),
    "each[0]": Row("completed"),
    "each[1]": Row("failed"),
    "each[2]": Row("completed"),
    "each[3]": Row("cancelled"),
}


def test_a_foreach_keeps_the_items_that_ended_well() -> None:
    assert kept_of(EACH, HALF) == Kept(("a", "each[0]", "each[2]"), ("each",), {})


@pytest.mark.parametrize("rows", [{}, {"each": Row("failed"), "a": Row("completed")}])
def test_a_foreach_that_never_knew_its_items_begins_anew(rows: dict[str, Row]) -> None:
    assert kept_of(EACH, rows).reopened == ()


def test_a_foreach_begins_anew_where_its_dependency_does() -> None:
    assert kept_of(EACH, HALF, from_task="a") == Kept((), (), {})


def test_items_that_were_allowed_to_fail_run_again_where_they_are_not_any_more() -> None:
    lenient = document({"id": "a"}, {"id": "each", "foreach": "${a}", "on_error": "continue"})
    strict = document({"id": "a"}, {"id": "each", "foreach": "${a}"})
    rows = {**HALF, "each": Row("completed", 4)}
    assert "each" in kept_of(lenient, rows, completed=False).rows
    assert kept_of(lenient, rows, strict) == Kept(("a", "each[0]", "each[2]"), ("each",), {})


CALLS = {
    "a": Row("failed"),
    "a/1": Row("completed"),
    "a/2": Row("failed"),
    "d": Row("completed"),
    "d/1": Row("completed"),
}


def test_calls_of_a_task_that_runs_again_unchanged_stand() -> None:
    assert kept_of(CHAIN, CALLS) == Kept(("a/1", "a/2", "d"))


def test_calls_that_were_cut_off_are_made_again_only_where_that_was_decided() -> None:
    cancelled = {**CALLS, "a": Row("cancelled"), "a/3": Row("cancelled")}
    assert kept_of(CHAIN, cancelled) == Kept(("a/1", "a/2", "a/3", "d"))
    unknown = {**CALLS, "a": Row("unknown"), "a/3": Row("unknown")}
    assert kept_of(CHAIN, unknown, unknown={"a": "rerun"}) == Kept(("a/1", "d"), repeated=("a/2", "a/3"))
    doubtful = {**CALLS, "a/3": Row("unknown")}
    assert kept_of(CHAIN, doubtful) == Kept(("a/1", "a/2", "a/3", "d"))


def test_calls_of_a_changed_task_and_of_the_named_one_are_made_again() -> None:
    changed = document({"id": "a", "parameters": {"x": 1}}, *(task.model_dump() for task in CHAIN.tasks[1:]))
    assert kept_of(CHAIN, CALLS, changed).rows == ("d",)
    assert kept_of(CHAIN, CALLS, from_task="a").rows == ("d",)


def test_calls_of_an_item_that_runs_again_are_kept_with_the_items() -> None:
    rows = {**HALF, "each[1]/1": Row("completed"), "each[0]/1": Row("completed")}
    assert kept_of(EACH, rows).rows == ("a", "each[0]", "each[1]/1", "each[2]")


UNKNOWN = states(a="completed", b="unknown", d="unknown")


def test_unknown_tasks_go_as_was_decided() -> None:
    kept = kept_of(CHAIN, UNKNOWN, unknown={"b": "completed", "d": "rerun"})
    assert kept == Kept(("a",), (), {"b": "completed"})


def test_all_unknown_tasks_have_to_be_decided() -> None:
    with pytest.raises(ConflictError, match=r"nobody saw how b ended") as caught:
        kept_of(CHAIN, UNKNOWN, unknown={"d": "skip"}, from_task="a")
    assert "rerun, skip, completed or failed" in (caught.value.hint or "")
    assert caught.value.details == {"unknown": ["b"]}


def test_an_unknown_task_that_is_gone_from_the_document_needs_no_decision() -> None:
    after = document({"id": "a"}, {"id": "d"})
    assert kept_of(CHAIN, UNKNOWN, after, unknown={"d": "failed"}) == Kept(("a",), (), {"d": "failed"})


UNKNOWN_ITEMS = {**HALF, "each": Row("unknown", 4), "each[1]": Row("unknown"), "each[3]": Row("unknown")}


def test_items_are_decided_one_by_one_or_all_at_once() -> None:
    one = kept_of(EACH, UNKNOWN_ITEMS, unknown={"each[1]": "skip", "each": "completed"})
    assert one.decided == {"each[1]": "skip", "each[3]": "completed"}
    assert one.reopened == ("each",)
    with pytest.raises(ConflictError, match=r"each\[3\]"):
        kept_of(EACH, UNKNOWN_ITEMS, unknown={"each[1]": "rerun"})


def test_nothing_can_be_decided_on_items_that_may_become_others() -> None:
    with pytest.raises(ConflictError, match="begin"):
        kept_of(EACH, UNKNOWN_ITEMS, unknown={"each": "completed"}, from_task="a")
    assert kept_of(EACH, UNKNOWN_ITEMS, unknown={"each": "rerun"}, from_task="a") == Kept((), (), {})


@pytest.mark.parametrize(
    ("wish", "words", "hint"),
    [
        ({"from_task": "bb"}, 'no task "bb"', 'did you mean "b"?'),
        ({"unknown": {"bb": "skip", "b": "skip"}}, 'no task "bb"', 'did you mean "b"?'),
        ({"unknown": {"a": "skip"}}, "a is completed", "unknown are b"),
        ({"unknown": {"b": "done"}}, '"done" decides nothing about b', "write rerun, skip, completed or failed"),
    ],
)
def test_what_does_not_exist_is_named_with_the_nearest(wish: dict[str, Any], words: str, hint: str) -> None:
    with pytest.raises(ValidationError, match=words) as caught:
        kept_of(CHAIN, states(a="completed", b="unknown"), **wish)
    assert caught.value.hint == hint


# Random runs


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    tasks: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 8))):
        task: dict[str, Any] = {"id": f"t{number}", "parameters": {}}
        task["dependencies"] = [f"t{need}" for need in range(number) if draw(st.integers(0, 2)) == 0]
        if draw(st.integers(0, 3)) == 0:
            task["trigger_rule"] = "all_done"
        if draw(st.integers(0, 3)) == 0:
            task["on_error"] = "continue"
        if draw(st.integers(0, 2)) == 0:
            task["foreach"] = []
        elif draw(st.integers(0, 2)) == 0:
            task["when"] = True
        tasks.append(task)
    return document(*draw(st.permutations(tasks)), settings={"max_parallel_tasks": draw(st.integers(1, 4))})


class World:
    """Carries out what a plan says, and keeps the rows."""

    def __init__(self, workflow: Workflow, rows: dict[str, Row]) -> None:
        self.tasks = {task.id: task for task in workflow.tasks}
        self.rows = rows
        self.started: list[str] = []
        self.running: list[str] = []
        self.finish: Finish | None = None
        self.plan = Plan.open(workflow, dict(rows))
        self.take(self.plan.start())

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start(key):
                    self.started.append(key)
                    self.running.append(key)
                    self.rows[key] = Row("running")
                case Skip(key):
                    self.rows[key] = Row("skipped")
                case Join(key, state):
                    self.rows[key] = Row(state, self.rows[key].expanded)
                    self.take(self.plan.after(Outcome(state, key)))
                case Finish():
                    self.finish = action
                case _:
                    pass

    def end(self, key: str, kind: OutcomeKind, count: int = 0) -> None:
        self.running.remove(key)
        self.rows[key] = Row("running", count) if kind == "expanded" else Row(kind)  # type: ignore[arg-type]
        self.take(self.plan.after(Outcome(kind, key, count)))

    def end_somehow(self, chance: random.Random) -> None:
        key = chance.choice(self.running)
        task = self.tasks[key.partition("[")[0]]
        if task.foreach is not None and "[" not in key:
            self.end(key, "expanded", chance.randint(0, 4))
            return
        kinds: list[OutcomeKind] = ["completed", "completed", "completed", "failed", "unknown"]
        self.end(key, chance.choice([*kinds, "skipped"] if task.when is not None else kinds))

    def end_well(self) -> None:
        while self.running:
            key = self.running[-1]
            expands = self.tasks[key.partition("[")[0]].foreach is not None and "[" not in key
            self.end(key, "expanded" if expands else "completed", 3)


def left(workflow: Workflow, chance: random.Random) -> dict[str, Row]:
    """The rows of a run that was cancelled at some time, or came to an end."""
    world = World(workflow, {})
    for _ in range(chance.randint(0, 25)):
        if world.running:
            world.end_somehow(chance)
    return {
        key: Row("cancelled", row.expanded) if row.state in ("running", "pending") else row
        for key, row in world.rows.items()
    }


def stays(workflow: Workflow, rows: Mapping[str, Row], changed: set[str], task_id: str) -> bool:
    """Told the slow way: it and all that it depends on are unchanged and ended well."""
    task = next(task for task in workflow.tasks if task.id == task_id)
    ended_well = rows.get(task_id, Row("pending")).state in ("completed", "skipped")
    needs = all(stays(workflow, rows, changed, need) for need in task.dependencies)
    return task_id not in changed and ended_well and needs


DECIDED: Mapping[Decision, TaskState] = {"skip": "skipped", "completed": "completed", "failed": "failed"}


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(workflows(), st.integers(0, 2**32))
def test_a_resumed_run_runs_exactly_what_is_not_kept(workflow: Workflow, seed: int) -> None:
    chance = random.Random(seed)
    rows = left(workflow, chance)
    ids = [task.id for task in workflow.tasks]
    changed = {task_id for task_id in ids if chance.random() < 0.15}
    from_task = chance.choice(ids) if chance.random() < 0.3 else None
    after = document(*({**task.model_dump(), "parameters": {"x": task.id in changed}} for task in workflow.tasks))
    before = document(*({**task.model_dump(), "parameters": {"x": False}} for task in workflow.tasks))
    choices: list[Decision] = ["rerun", "skip", "completed"]
    unknown: dict[str, Decision] = {
        key: chance.choice(choices) if "[" not in key else "rerun"
        for key, row in rows.items()
        if row.state == "unknown" and row.expanded is None
    }

    kept = kept_of(before, rows, after, from_task=from_task, unknown=unknown)
    assume(from_task is None or from_task not in kept.decided)

    restarted = changed if from_task is None else {*changed, from_task}
    stay = {task_id for task_id in ids if stays(workflow, rows, restarted, task_id)} - set(kept.decided)
    assert {key for key in kept.rows if key in ids} == stay

    assert set(kept.reopened) == {
        task.id
        for task in workflow.tasks
        if task.id not in stay | restarted
        and rows.get(task.id, Row("pending")).expanded is not None
        and all(need in stay for need in task.dependencies)
    }

    begun = {key: rows[key] for key in kept.rows}
    begun |= {key: Row("running", rows[key].expanded) for key in kept.reopened}
    begun |= {key: Row(DECIDED[decision]) for key, decision in kept.decided.items()}
    world = World(after, dict(begun))
    world.end_well()

    assert world.finish == Finish("completed", ())
    assert len(world.started) == len(set(world.started)), "something ran twice"
    assert {key for key in world.started if "[" not in key} == set(ids) - set(begun)
    for task_id in kept.reopened:
        count = rows[task_id].expanded or 0
        items = {f"{task_id}[{index}]" for index in range(count)}
        assert {key for key in world.started if key.startswith(f"{task_id}[")} == items - set(begun)
    assert not any(key.startswith(f"{task_id}[") for key in world.started for task_id in stay)
