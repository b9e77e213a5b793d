"""What is shown of a run follows from its events alone."""

from __future__ import annotations

import time
from typing import Any

import pytest
from rich.console import Console

from gleitzeit.cli.board import Board
from gleitzeit.cli.progress import shown_progress
from gleitzeit.core.models import Event, TaskResult


def event(kind: str, task_id: str | None, at: float = 0.0, **data: Any) -> Event:
    return Event("r", 1, kind, at, task_id, data)


def pending(*task_ids: str) -> list[TaskResult]:
    return [TaskResult(task_id, "pending") for task_id in task_ids]


def test_what_was_done_before_anybody_watched_is_there_from_the_start() -> None:
    kept = TaskResult("a", "completed", started_at=1.0, finished_at=3.0, metadata={"kept_from": "r0"})
    board = Board([kept, TaskResult("b", "running", started_at=5.0)])
    assert (board.rows["a"].state, board.rows["a"].seconds(99.0)) == ("completed", 2.0)
    assert board.rows["a"].words == "kept from r0"
    assert (board.rows["b"].state, board.rows["b"].seconds(9.0)) == ("running", 4.0)


def test_a_task_goes_from_pending_to_its_end() -> None:
    board = Board(pending("a", "b"))
    board.apply(event("task.started", "a", 10.0))
    board.apply(event("task.completed", "a", 12.5))
    assert board.rows["a"].state == "completed"
    assert board.rows["a"].seconds(99.0) == 2.5
    assert board.rows["b"].state == "pending"
    assert board.rows["b"].seconds(99.0) is None


def test_items_of_a_foreach_are_counted_on_one_row() -> None:
    board = Board(pending("each"))
    for index in range(3):
        board.apply(event("task.started", f"each[{index}]"))
    board.apply(event("task.completed", "each[0]"))
    board.apply(event("task.failed", "each[1]", error={"message": "no\nluck"}))
    assert list(board.rows) == ["each"]
    assert board.rows["each"].state == "running"
    assert board.rows["each"].words == "2/3 no"


def test_a_retried_task_runs_again() -> None:
    board = Board(pending("a"))
    for kind in ("task.started", "task.retrying", "task.started", "task.completed"):
        board.apply(event(kind, "a", 1.0))
    assert board.rows["a"].state == "completed"


def test_what_a_task_said_on_its_way_is_gone_once_it_is_over() -> None:
    board = Board(pending("a"))
    board.apply(event("task.progress", "a", 1.0, message=" such as logos,"))
    assert board.rows["a"].words == "such as logos,"
    board.apply(event("task.completed", "a", 2.0))
    assert board.rows["a"].words == ""


def test_events_of_the_run_change_no_row() -> None:
    board = Board(pending("a"))
    assert board.apply(event("run.completed", None)) is None
    assert board.apply(event("task.invented", "a")) is None


def test_a_task_waits_while_a_question_of_it_is_open() -> None:
    board = Board(pending("a"))
    board.apply(event("task.started", "a", 1.0))
    board.apply(event("question.asked", "a", 2.0, question_id="q1", message="How old?\nIn years."))
    board.apply(event("question.asked", "a", 2.0, question_id="q2", message="How tall?"))
    board.apply(event("task.progress", "a", 3.0))
    assert (board.rows["a"].state, board.rows["a"].words) == ("waiting", "How tall?")
    board.apply(event("question.answered", "a", 4.0, question_id="q1", action="accept"))
    assert (board.rows["a"].state, board.rows["a"].words) == ("waiting", "question answered")
    board.apply(event("question.withdrawn", "a", 5.0, question_id="q2"))
    assert (board.rows["a"].state, board.rows["a"].words) == ("running", "question withdrawn")
    board.apply(event("question.asked", "a", 6.0, question_id="q3", message="Sure?\nReally?"))
    assert board.rows["a"].words == "Sure?"
    board.apply(event("task.failed", "a", 7.0, error={"message": "no luck"}))
    assert board.rows["a"].state == "failed"


def test_a_question_of_an_item_shows_on_the_row_of_its_foreach() -> None:
    board = Board(pending("each"))
    for index in range(2):
        board.apply(event("task.started", f"each[{index}]"))
    board.apply(event("question.asked", "each[1]", question_id="q", message="Sure?"))
    assert (list(board.rows), board.rows["each"].state, board.rows["each"].words) == (["each"], "waiting", "0/2 Sure?")
    board.apply(event("question.answered", "each[1]", question_id="q", action="decline"))
    assert (board.rows["each"].state, board.rows["each"].words) == ("running", "0/2 question declined")


def test_a_watcher_who_comes_to_an_open_question_sees_it_answered() -> None:
    board = Board([TaskResult("a", "waiting", started_at=1.0)])
    board.apply(event("question.answered", "a", 2.0, question_id="q", action="accept"))
    assert board.rows["a"].state == "running"


def test_without_a_terminal_what_became_of_a_question_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(pending("a")) as show:
        show(event("task.started", "a", 5.0))
        show(event("question.asked", "a", 5.5, question_id="q", message="How old?"))
        show(event("question.answered", "a", 6.0, question_id="q", action="cancel"))
    assert capsys.readouterr().err.splitlines() == ["   0.00s a: started", "   1.00s a: question dismissed"]


def test_times_begin_with_the_watching_where_the_first_event_was_missed(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(pending("a")) as show:
        show(event("task.completed", "a", time.time() + 60.0))
    (line,) = capsys.readouterr().err.splitlines()
    assert 59.0 < float(line.split("s ")[0]) < 61.0


def test_without_a_terminal_each_event_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(pending("a")) as show:
        show(event("task.started", "a", 5.0))
        show(event("task.progress", "a", 5.1, message="half way"))
        show(event("task.progress", "a", 5.2, message="said too soon after that"))
        show(event("task.progress", "a", 7.0, message="nearly"))
        show(event("task.failed", "a", 8.25, error={"message": "no luck"}))
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.splitlines() == [
        "   0.00s a: started",
        "   0.10s a: progress: half way",
        "   2.00s a: progress: nearly",
        "   3.25s a: failed: no luck",
    ]


def test_on_a_terminal_a_table_is_kept_up_to_date(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    screens: list[Console] = []

    def terminal() -> Console:
        screens.append(Console(stderr=True, force_terminal=True, width=80, height=10))
        return screens[-1]

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("gleitzeit.cli.progress.console", terminal)
    with shown_progress(pending(*(f"t{index}" for index in range(30)))) as show:
        show(event("task.started", "t29", 0.0))
        show(event("task.completed", "t29", 1.5))
        show(event("task.started", "t17", 1.5))
    drawn = capsys.readouterr().err
    assert "\x1b[" in drawn
    assert "t17" in drawn


def test_a_clock_that_was_set_back_gives_no_negative_times(capsys: pytest.CaptureFixture[str]) -> None:
    with shown_progress(pending("a", "b")) as show:
        show(event("task.started", "a", 5.0))
        show(event("task.started", "b", 4.999))
    assert capsys.readouterr().err.splitlines() == ["   0.00s a: started", "   0.00s b: started"]
