"""`OpenQuestions`: the questions that are open at one run, and why one can't be answered."""

from __future__ import annotations

from collections import deque

from gleitzeit.core.errors import ConflictError, LimitError, NotFoundError
from gleitzeit.core.models import Question
from gleitzeit.engine.local.inquiry import Inquiry

MOST_QUESTIONS = 100
"""How many questions of one run, and of those that it has started, may be open at once."""

_REMEMBERED = 1_000
"""Of how many closed questions it is known that they were asked."""

_SHOWN = "look at the run: it shows the questions that are open"


class OpenQuestions:
    """The questions that are open at one run, those of the runs that it has started among them."""

    __slots__ = ("_closed", "_open")

    def __init__(self) -> None:
        self._open: dict[str, tuple[Question, Inquiry]] = {}
        self._closed: deque[str] = deque(maxlen=_REMEMBERED)

    def add(self, question: Question, inquiry: Inquiry) -> None:
        """Open a question."""
        self._open[question.id] = question, inquiry

    def close(self, question_id: str) -> None:
        """Close one."""
        del self._open[question_id]
        self._closed.append(question_id)

    def of(self, task_id: str) -> list[Question]:
        """Those that a task, or an item, waits for."""
        return [question for question, _ in self._open.values() if question.task_id == task_id]

    def find(self, question_id: str) -> Inquiry:
        """Who asks an open question. Raises `ConflictError` for one that is closed, and `NotFoundError`."""
        if question_id in self._open:
            return self._open[question_id][1]
        if question_id in self._closed:
            raise not_open(question_id)
        raise no_question(question_id)

    def is_open(self, question_id: str) -> bool:
        """Whether a question is open."""
        return question_id in self._open

    def is_known(self, question_id: str) -> bool:
        """Whether a question is open, or was."""
        return question_id in self._open or question_id in self._closed

    def check_room(self) -> None:
        """Raise `LimitError` where too many are open."""
        if len(self._open) >= MOST_QUESTIONS:
            raise LimitError(
                f"{MOST_QUESTIONS} questions of this run are open, and no more may be",
                hint="ask for several things in one question, or one after the other",
                retryable=True,
            )

    def withdraw(self) -> None:
        """Wait for none of them any more."""
        for _, inquiry in list(self._open.values()):
            inquiry.withdraw()


def no_question(question_id: str) -> NotFoundError:
    """The error for a question that the run does not ask."""
    return NotFoundError(f'the run has no question "{question_id}"', hint=_SHOWN)


def not_open(question_id: str) -> ConflictError:
    """The error for a question that is answered already."""
    return ConflictError(
        f'the question "{question_id}" is not open any more: it was answered, or its task has stopped waiting',
        hint=_SHOWN,
    )
