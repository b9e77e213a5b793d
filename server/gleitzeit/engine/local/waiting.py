"""What is stored with the row of a task that asks: the questions that are open, and the replies that it was given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gleitzeit.core.models import Question
from gleitzeit.engine.base import Reply
from gleitzeit.store.base import TaskRow

_QUESTIONS = "questions"
_REPLIES = "replies"
_HELD_BACK = "held_back"
_OURS = frozenset({_QUESTIONS, _REPLIES, _HELD_BACK})


def questions_in(rows: Iterable[TaskRow]) -> tuple[Question, ...]:
    """The questions that tasks wait for, oldest first."""
    found = [question for row in rows if row.state == "waiting" for question in questions_of(row)]
    return tuple(sorted(found, key=lambda question: question.asked_at))


def questions_of(row: TaskRow) -> list[Question]:
    """The questions that stand in a row."""
    return [Question.from_dict(data) for data in row.metadata.get(_QUESTIONS, ())]


def replies_of(row: TaskRow) -> dict[str, Reply]:
    """The replies that stand in a row, by the ids of their questions."""
    return {key: Reply.from_dict(data) for key, data in row.metadata.get(_REPLIES, {}).items()}


def with_replies(metadata: Mapping[str, Any], replies: Mapping[str, Reply]) -> dict[str, Any]:
    """The metadata of a task that was given replies."""
    if not replies:
        return dict(metadata)
    return {**metadata, _REPLIES: {key: reply.to_dict() for key, reply in replies.items()}}


def asking(row: TaskRow, questions: Sequence[Question], *, held_back: bool) -> TaskRow:
    """The row of a task that waits for the answers to questions.

    One that is `held_back` is not carried out before it has them.
    """
    metadata = {**row.metadata, _QUESTIONS: [question.to_dict() for question in questions]}
    if held_back:
        metadata[_HELD_BACK] = True
    return row._replace(state="waiting", metadata=metadata)


def answered(row: TaskRow, question_id: str, reply: Reply) -> TaskRow:
    """The row of a task that nobody carries out now, with the reply to one of its questions."""
    left = [question for question in questions_of(row) if question.id != question_id]
    rest = {name: value for name, value in row.metadata.items() if name != _QUESTIONS}
    # As where it waits still: what only waits has not ended its process.
    rest = {**with_replies(rest, {**replies_of(row), question_id: reply}), "parked": True}
    row = row._replace(state="running", metadata=rest)
    return asking(row, left, held_back=is_held_back(row)) if left else row


def held_back(row: TaskRow) -> TaskRow:
    """The row of a task that was about to begin, and is certainly not carried out yet."""
    return row._replace(metadata={**row.metadata, _HELD_BACK: True})


def is_held_back(row: TaskRow) -> bool:
    """Whether a task that has begun is certainly not carried out yet."""
    return bool(row.metadata.get(_HELD_BACK, False))


def without_questions(row: TaskRow) -> TaskRow:
    """The row without anything of that."""
    if not row.metadata or _OURS.isdisjoint(row.metadata):
        return row
    return row._replace(metadata={name: value for name, value in row.metadata.items() if name not in _OURS})
