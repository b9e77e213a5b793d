"""What is known of a run's tasks while it goes on, from its events alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core import keys
from gleitzeit.core.data import is_object
from gleitzeit.core.models import Event, TaskResult

_STATES = {
    "task.started": "running",
    "task.progress": "running",
    "task.retrying": "retrying",
    "task.waiting": "waiting",
    "task.completed": "completed",
    "task.failed": "failed",
    "task.skipped": "skipped",
    "task.cancelled": "cancelled",
    "task.unknown": "unknown",
}

QUESTIONS = frozenset({"question.asked", "question.answered", "question.expired", "question.withdrawn"})

_REPLIES = {"accept": "question answered", "decline": "question declined", "cancel": "question dismissed"}

ENDED = frozenset({"completed", "failed", "skipped", "cancelled", "unknown"})


@dataclass(slots=True)
class Row:
    """One task, or all items of a foreach together; times are seconds since the epoch."""

    id: str
    state: str = "pending"
    started: float | None = None
    ended: float | None = None
    note: str = ""
    items: set[str] = field(default_factory=set[str])
    items_done: set[str] = field(default_factory=set[str])
    asked: set[str] = field(default_factory=set[str])

    def seconds(self, now: float) -> float | None:
        """How long it has taken so far."""
        return None if self.started is None else max(0.0, (self.ended or now) - self.started)

    @property
    def words(self) -> str:
        """How far it is: the items done of a foreach, and what the task itself last said."""
        count = f"{len(self.items_done)}/{len(self.items)}" if self.items else ""
        return " ".join(part for part in (count, self.note) if part)


class Board:
    """The rows of one run, in the order of its document."""

    def __init__(self, tasks: Iterable[TaskResult]) -> None:
        self.rows = {task.task_id: _begun(task) for task in tasks}

    def apply(self, event: Event) -> Row | None:
        """Take in one event and return the row that it changed."""
        state = _STATES.get(event.kind)
        if event.task_id is None or (state is None and event.kind not in QUESTIONS):
            return None
        key = event.task_id
        of_item = keys.is_item(keys.maker_of(key))
        row_id = keys.task_of(key) if of_item else key
        row = self.rows.setdefault(row_id, Row(row_id))
        over = key == row_id and state in ENDED
        row.note = _note(event) or ("" if over else row.note)  # what it said on the way is no end
        if state is None:
            _apply_question(row, event)
        elif keys.is_item(key):
            _apply_item(row, key, state, event.at)
        elif not of_item:  # what an item calls is no item
            _apply_task(row, state, event.at)
        if row.asked and row.state not in ENDED:
            row.state = "waiting"  # whatever else it does, it needs a person
        return row


def is_item(event: Event) -> bool:
    """Whether the event is about one item of a foreach."""
    return event.task_id is not None and keys.is_item(event.task_id)


def _apply_task(row: Row, state: str, at: float) -> None:
    row.state = state
    if row.started is None and state != "skipped":
        row.started = at
    row.ended = at if state in ENDED else None


def _apply_question(row: Row, event: Event) -> None:
    question = str(event.data.get("question_id"))
    if event.kind == "question.asked":
        row.asked.add(question)
    else:
        row.asked.discard(question)
        row.state = "running" if row.state == "waiting" else row.state


def _begun(task: TaskResult) -> Row:
    """The row of a task that may have been carried out before anybody watched, in this run or in an earlier one."""
    ended = task.finished_at if task.status in ENDED else None
    origin = task.metadata.get("kept_from")
    return Row(task.task_id, task.status, task.started_at, ended, f"kept from {origin}" if origin else "")


def _apply_item(row: Row, item: str, state: str, at: float) -> None:
    row.items.add(item)
    if row.state == "pending":
        _apply_task(row, "running", at)
    if state in ENDED:
        row.items_done.add(item)


def _note(event: Event) -> str:
    """A line of what the event says, short enough for a row: the first of an error or a question, else the last."""
    if event.kind == "question.answered" and event.data.get("answered_by") == "default":
        return "question answered by its default"
    if event.kind == "question.answered":
        return _REPLIES.get(str(event.data.get("action")), "")
    if event.kind in ("question.expired", "question.withdrawn"):
        return event.kind.replace(".", " ")
    error: Any = event.data.get("error")
    message = error.get("message") if is_object(error) else error
    said = event.data.get("message") or message or event.data.get("reason")
    lines = str(said or "").strip().splitlines() or [""]
    return (lines[0] if error or event.kind in QUESTIONS else lines[-1])[:80]
