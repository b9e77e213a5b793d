"""The rows that a resumed run begins with."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ConflictError
from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Resumption
from gleitzeit.engine.local.resuming import resumed_run
from gleitzeit.store.base import EventDraft, RunRow, Snapshot, TaskRow

WORKFLOW = Workflow.model_validate(
    {
        "name": "letters",
        "tasks": [
            {"id": "write", "method": "test/do"},
            {"id": "send", "method": "test/do", "foreach": "${write.letters}"},
            {"id": "tell", "method": "test/do", "parameters": {"to": "${inputs.to}"}, "dependencies": ["send"]},
        ],
    }
)


def left(*rows: TaskRow, **fields: Any) -> Snapshot:
    run = RunRow("old", "anna", WORKFLOW, {"to": "x"}, "waiting", 1.0, roots=("/srv/files",), epoch=4, **fields)
    return Snapshot(run, {row.key: row for row in rows}, 9)


UNKNOWN = left(
    TaskRow("write", "completed", 2, {"letters": [1, 2]}, None, 1.0, 2.0, metadata={"node": "n"}),
    TaskRow("send", "unknown", started_at=2.0, finished_at=3.0, expanded=2),
    TaskRow("send[0]", "completed", 1, {"sent": True}, None, 2.0, 3.0, metadata={"kept_from": "older"}),
    TaskRow("send[1]", "unknown", 1, None, None, 2.0, 3.0),
    parent_id="parent",
    root_id="parent",
    idempotency_key="key",
)


def test_the_new_run_is_linked_to_the_old_one_and_stands_by_itself() -> None:
    run, _, events = resumed_run(UNKNOWN, Resumption(unknown={"send": "rerun"}), 5.0, "new")
    assert run == RunRow(
        "new", "anna", WORKFLOW, {"to": "x"}, "running", 5.0, resumed_from="old", roots=("/srv/files",)
    )
    assert events == [EventDraft("run.submitted", 5.0, None, {"name": "letters", "resumed_from": "old"})]


def test_kept_rows_say_which_run_they_are_from_and_a_foreach_goes_on() -> None:
    _, rows, _ = resumed_run(UNKNOWN, Resumption(unknown={"send": "rerun"}), 5.0, "new")
    assert rows == [
        TaskRow(
            "write", "completed", 2, {"letters": [1, 2]}, None, 1.0, 2.0, metadata={"kept_from": "old", "node": "n"}
        ),
        TaskRow("send[0]", "completed", 1, {"sent": True}, None, 2.0, 3.0, metadata={"kept_from": "older"}),
        TaskRow("send", "running", started_at=2.0, expanded=2, metadata={"kept_from": "old"}),
    ]


@pytest.mark.parametrize(
    ("decision", "state", "result"),
    [("skip", "skipped", None), ("completed", "completed", {}), ("failed", "failed", None)],
)
def test_what_was_decided_is_a_row_and_an_event_of_the_new_run(decision: Any, state: str, result: Any) -> None:
    _, rows, events = resumed_run(UNKNOWN, Resumption(unknown={"send[1]": decision}), 5.0, "new")
    row = rows[-1]
    assert (row.key, row.state, row.result, row.finished_at) == ("send[1]", state, result, 5.0)
    assert row.metadata == {"kept_from": "old", "decided": decision}
    assert (events[-1].kind, events[-1].task_id) == (f"task.{state}", "send[1]")
    assert events[-1].data["decided"] == decision
    if decision == "failed":
        assert row.failure is not None
        assert "(anna) decided that it failed" in row.failure.message


def test_a_call_that_was_cut_off_is_one_that_did_not_happen_where_that_was_decided() -> None:
    call = TaskRow("write/1", "running", 1, started_at=1.0, metadata={"call": "digest"})
    cut_off = left(TaskRow("write", "unknown", 1), call)
    _, rows, _ = resumed_run(cut_off, Resumption(unknown={"write": "rerun"}), 5.0, "new")
    (row,) = rows
    assert (row.key, row.state, row.metadata) == ("write/1", "failed", {"kept_from": "old", "call": "digest"})
    assert row.failure is not None
    assert not row.failure.ambiguous


def test_another_document_and_other_inputs_take_the_place_of_the_old_ones() -> None:
    done = left(*(TaskRow(task.id, "completed") for task in WORKFLOW.tasks))
    after = Workflow.model_validate({**WORKFLOW.canonical(), "name": "other"})
    run, rows, _ = resumed_run(done, Resumption(workflow=after, inputs={"to": "y"}), 5.0, "new")
    assert (run.workflow, run.inputs) == (after, {"to": "y"})
    assert [row.key for row in rows] == ["write", "send"]


def test_a_completed_run_is_only_resumed_where_something_is_left_to_do() -> None:
    done = left(*(TaskRow(task.id, "completed") for task in WORKFLOW.tasks))
    done = Snapshot(RunRow("old", "anna", WORKFLOW, {}, "completed", 1.0), done.tasks, 9)
    with pytest.raises(ConflictError, match="nothing is left to do"):
        resumed_run(done, Resumption(), 5.0, "new")
    _, rows, _ = resumed_run(done, Resumption(from_task="tell"), 5.0, "new")
    assert [row.key for row in rows] == ["write", "send"]
