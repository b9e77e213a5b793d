"""Open questions as they are stored: with the row of the task that waits for their answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gleitzeit.core.models import Question
from gleitzeit.store.base import TaskRow

_KEY = "questions"


def questions_in(rows: Iterable[TaskRow]) -> tuple[Question, ...]:
    """The questions that tasks wait for, oldest first."""
    found = [Question.from_dict(data) for row in rows if row.state == "waiting" for data in row.metadata.get(_KEY, ())]
    return tuple(sorted(found, key=lambda question: question.asked_at))


def with_questions(metadata: Mapping[str, Any], questions: Sequence[Question]) -> dict[str, Any]:
    """The metadata of a task that waits for the answers to questions."""
    return {**metadata, _KEY: [question.to_dict() for question in questions]}


def without_questions(row: TaskRow) -> TaskRow:
    """The row of a task that asks nothing any more."""
    if row.state != "waiting":
        return row
    return row._replace(metadata={name: value for name, value in row.metadata.items() if name != _KEY})
