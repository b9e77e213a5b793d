"""What a plan decides, case by case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import TaskState, Workflow
from gleitzeit.core.plan import Plan
from gleitzeit.core.plan_actions import Action, Continue, Finish, Join, Outcome, Rest, Skip, Start


@dataclass(frozen=True)
class Row:
    state: TaskState
    expanded: int | None = None


def workflow(tasks: Mapping[str, Mapping[str, Any]], **settings: Any) -> Workflow:
    listed = [{"id": name, "method": "test/do", **fields} for name, fields in tasks.items()]
    return Workflow.model_validate({"tasks": listed, "settings": settings})


def opened(tasks: Mapping[str, Mapping[str, Any]], rows: Mapping[str, Row] | None = None, **settings: Any) -> Plan:
    return Plan.open(workflow(tasks, **settings), rows or {})


def start(*names: str) -> list[Action]:
    return [Start(name, name) for name in names]


def completed(key: str) -> Outcome:
    return Outcome("completed", key)


def failed(key: str) -> Outcome:
    return Outcome("failed", key)


def test_a_task_starts_once_all_it_needs_are_completed() -> None:
    plan = opened({"a": {}, "b": {}, "c": {"dependencies": ["a", "b"]}})
    assert plan.start() == start("a", "b")
    assert plan.after(completed("b")) == []
    assert plan.after(completed("a")) == start("c")
    assert plan.after(completed("c")) == [Finish("completed")]


def test_no_more_tasks_run_than_there_are_slots_and_the_earlier_in_the_document_go_first() -> None:
    plan = opened({"a": {}, "b": {}, "c": {}, "d": {}}, max_parallel_tasks=2)
    assert plan.start() == start("a", "b")
    assert plan.after(completed("b")) == start("c")
    assert plan.after(completed("a")) == start("d")


def test_what_needs_a_failed_task_is_skipped_and_what_needs_the_skipped_too_while_other_branches_end() -> None:
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}, "c": {"dependencies": ["b"]}, "other": {}})
    assert plan.start() == start("a", "other")
    assert plan.after(failed("a")) == [Skip("b", "a"), Skip("c", "b")]
    assert plan.after(completed("other")) == [Finish("failed", ("a",))]


def test_the_reason_of_a_skip_does_not_depend_on_which_task_failed_first() -> None:
    for order in (["a", "b"], ["b", "a"]):
        plan = opened({"a": {}, "b": {}, "c": {"dependencies": ["a", "b"]}})
        plan.start()
        plan.after(failed(order[0]))
        assert plan.after(failed(order[1])) == [Skip("c", "a"), Finish("failed", ("a", "b"))]


def test_a_task_with_all_done_runs_after_failed_and_skipped_ones() -> None:
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}, "end": {"dependencies": ["b"], "trigger_rule": "all_done"}})
    plan.start()
    assert plan.after(failed("a")) == [Skip("b", "a"), Start("end", "end")]
    assert plan.after(completed("end")) == [Finish("failed", ("a",))]


@pytest.mark.parametrize(("fields", "settings"), [({"on_error": "continue"}, {}), ({}, {"continue_on_error": True})])
def test_a_failure_that_may_be_lets_dependents_run_and_the_run_complete(fields: Any, settings: Any) -> None:
    plan = opened({"a": fields, "b": {"dependencies": ["a"]}}, **settings)
    plan.start()
    assert plan.after(failed("a")) == start("b")
    assert plan.after(completed("b")) == [Finish("completed")]


def test_a_task_skipped_by_its_own_condition_lets_dependents_run() -> None:
    plan = opened({"a": {"when": "false"}, "b": {"dependencies": ["a"]}})
    plan.start()
    assert plan.after(Outcome("skipped", "a")) == start("b")


def test_a_foreach_holds_no_slot_and_is_joined_once_its_items_are_over() -> None:
    plan = opened({"each": {"foreach": [1, 2, 3]}, "b": {"dependencies": ["each"]}}, max_parallel_tasks=2)
    assert plan.start() == start("each")
    assert plan.after(Outcome("expanded", "each", 3)) == [Start("each[0]", "each", 0), Start("each[1]", "each", 1)]
    assert plan.after(completed("each[1]")) == [Start("each[2]", "each", 2)]
    assert plan.after(completed("each[0]")) == []
    assert plan.after(completed("each[2]")) == [Join("each", "completed")]
    assert plan.after(completed("each")) == start("b")


def test_max_parallel_limits_the_items_of_one_foreach_alone() -> None:
    plan = opened({"each": {"foreach": [1, 2], "max_parallel": 1}, "other": {}})
    assert plan.start() == start("each", "other")
    assert plan.after(Outcome("expanded", "each", 2)) == [Start("each[0]", "each", 0)]
    assert plan.after(completed("each[0]")) == [Start("each[1]", "each", 1)]


def test_a_large_foreach_does_not_starve_what_stands_behind_it() -> None:
    plan = opened({"each": {"foreach": [1]}, "a": {}, "b": {"dependencies": ["a"]}}, max_parallel_tasks=1)
    assert plan.start() == start("each", "a")
    assert plan.after(Outcome("expanded", "each", 100_000)) == []
    assert plan.after(completed("a")) == [Start("each[0]", "each", 0)]
    assert plan.after(completed("each[0]")) == start("b")


def test_an_empty_foreach_is_joined_at_once() -> None:
    plan = opened({"each": {"foreach": []}})
    plan.start()
    assert plan.after(Outcome("expanded", "each", 0)) == [Join("each", "completed")]
    assert plan.after(completed("each")) == [Finish("completed")]


def test_no_further_item_starts_after_one_failed_and_those_begun_end() -> None:
    plan = opened({"each": {"foreach": [1]}}, max_parallel_tasks=2)
    plan.start()
    plan.after(Outcome("expanded", "each", 5))
    assert plan.after(failed("each[0]")) == []
    assert plan.after(completed("each[1]")) == [Join("each", "failed")]
    assert plan.after(failed("each")) == [Finish("failed", ("each",))]


def test_a_failed_item_that_may_fail_leaves_the_others_running() -> None:
    plan = opened({"each": {"foreach": [1], "on_error": "continue"}}, max_parallel_tasks=1)
    plan.start()
    plan.after(Outcome("expanded", "each", 2))
    assert plan.after(failed("each[0]")) == [Start("each[1]", "each", 1)]
    assert plan.after(completed("each[1]")) == [Join("each", "completed")]


def test_a_waiting_task_gives_its_slot_away_and_takes_one_when_it_goes_on() -> None:
    plan = opened({"a": {}, "b": {}, "c": {}}, max_parallel_tasks=1)
    assert plan.start() == start("a")
    assert plan.after(Outcome("waiting", "a")) == start("b")
    assert plan.after(Outcome("resumed", "a")) == []
    assert plan.after(completed("b")) == [Continue("a")]
    assert plan.after(completed("a")) == start("c")


def test_a_waiting_item_gives_its_slot_away_and_takes_one_when_it_goes_on() -> None:
    plan = opened({"each": {"foreach": [1]}}, max_parallel_tasks=1)
    plan.start()
    plan.after(Outcome("expanded", "each", 2))
    assert plan.after(Outcome("waiting", "each[0]")) == [Start("each[1]", "each", 1)]
    assert plan.after(Outcome("resumed", "each[0]")) == []
    assert plan.after(completed("each[1]")) == [Continue("each[0]")]
    assert plan.after(completed("each[0]")) == [Join("each", "completed")]


def test_a_run_rests_while_nobody_knows_what_became_of_a_task_and_other_branches_have_ended() -> None:
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}, "other": {}})
    plan.start()
    assert plan.after(Outcome("unknown", "a")) == []
    assert plan.after(completed("other")) == [Rest()]


def test_an_unknown_item_makes_its_foreach_unknown() -> None:
    plan = opened({"each": {"foreach": [1]}})
    plan.start()
    plan.after(Outcome("expanded", "each", 2))
    plan.after(Outcome("unknown", "each[0]"))
    assert plan.after(completed("each[1]")) == [Join("each", "unknown")]
    assert plan.after(Outcome("unknown", "each")) == [Rest()]


def test_a_run_with_a_cancelled_task_is_cancelled() -> None:
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}})
    plan.start()
    assert plan.after(Outcome("cancelled", "a")) == [Skip("b", "a"), Finish("cancelled")]


def test_a_reopened_plan_starts_what_was_running_and_keeps_what_is_over() -> None:
    rows = {"a": Row("completed"), "b": Row("running"), "c": Row("skipped")}
    tasks = {"a": {}, "b": {}, "c": {"dependencies": ["a"]}, "d": {"dependencies": ["c"]}, "e": {"dependencies": ["b"]}}
    assert opened(tasks, rows).start() == start("b", "d")


def test_a_reopened_plan_tells_a_task_skipped_for_another_from_one_skipped_by_its_own_condition() -> None:
    rows = {"a": Row("failed"), "b": Row("skipped")}
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}, "c": {"dependencies": ["b"]}}, rows)
    assert plan.start() == [Skip("c", "b"), Finish("failed", ("a",))]


def test_a_reopened_foreach_goes_on_with_the_items_that_are_left() -> None:
    rows = {"each": Row("running", 4), "each[0]": Row("completed"), "each[2]": Row("running")}
    plan = opened({"each": {"foreach": [1]}}, rows)
    assert plan.start() == [Start(f"each[{index}]", "each", index) for index in (2, 1, 3)]


def test_a_reopened_foreach_whose_items_are_over_is_joined() -> None:
    rows = {"each": Row("running", 1), "each[0]": Row("completed")}
    assert opened({"each": {"foreach": [1]}}, rows).start() == [Join("each", "completed")]


def test_an_outcome_that_is_not_due_is_refused() -> None:
    plan = opened({"a": {}, "b": {"dependencies": ["a"]}})
    plan.start()
    for outcome in (completed("b"), Outcome("resumed", "a"), completed("a[0]")):
        with pytest.raises(ValueError, match=r"due|items"):
            plan.after(outcome)


def test_tasks_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(DocumentError, match="wait for each other: a, b"):
        opened({"a": {"dependencies": ["b"]}, "b": {"dependencies": ["a"]}})


def test_a_chain_of_thirty_thousand_is_skipped_without_recursion() -> None:
    count = 30_000
    tasks = {f"t{n}": {"dependencies": [f"t{n - 1}"] if n else []} for n in range(count)}
    plan = opened(tasks)
    plan.start()
    actions = plan.after(failed("t0"))
    assert len(actions) == count
    assert actions[-1] == Finish("failed", ("t0",))
