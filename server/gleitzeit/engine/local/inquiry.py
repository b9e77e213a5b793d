"""`Inquiry`: one question of a task, open at its run and at those that have started it, until somebody answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio

from gleitzeit.core.errors import CancelledError, GleitzeitError, QuestionDeclinedError, QuestionExpiredError
from gleitzeit.core.models import Question
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.replies import may_give, taken
from gleitzeit.store.base import EventDraft

_NOT_TOLD = frozenset({"task_id", "asked_at"})


class Written(Protocol):
    """Says when something is durable."""

    async def wait(self) -> None:
        """Return once it is. Raises why it will not be."""
        ...


class Questions(Protocol):
    """The questions that are open at one run."""

    def check_room(self) -> None:
        """Raise `LimitError` where too many are open."""
        ...

    def add(self, question: Question, inquiry: Inquiry) -> None:
        """Open a question."""
        ...

    def close(self, question_id: str) -> None:
        """Close one."""
        ...


class Asker(Protocol):
    """A run that questions are open at."""

    @property
    def questions(self) -> Questions:
        """Those that are open."""
        ...

    def note_questions(self, task_id: str, events: Sequence[EventDraft]) -> Written | None:
        """Write which questions a task waits for now; nothing where it does not wait any more."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a question is open: at a run, whose task `task_id` waits for it."""

    asker: Asker
    task_id: str


class Inquiry:
    """One question, and what becomes of it; one that was answered before is settled from the beginning.

    `answers` keeps the reply for later attempts, `allowance` is that of this one, and `now` the clock of events.
    """

    __slots__ = ("_allowance", "_answers", "_error", "_now", "_open", "_places", "_reply", "_settled", "question")

    def __init__(self, question: Question, answers: Answers, allowance: Allowance, now: Callable[[], float]) -> None:
        self.question = question
        self._answers = answers
        self._allowance = allowance
        self._now = now
        self._places: Sequence[Place] = ()
        self._settled = anyio.Event()
        # Code that asks what it likes may find a question with the id of an approval, whose 64 bits are no secret.
        known = answers.reply(question.id)
        self._reply: Reply | None = known if known is not None and may_give(question, known) else None
        self._error: GleitzeitError | None = None
        self._open = False
        if self._reply is not None:
            self._settled.set()

    @property
    def settled(self) -> bool:
        """Whether nobody has to be asked any more."""
        return self._settled.is_set()

    @property
    def time_left(self) -> float | None:
        """Seconds in which it has to be answered; nothing where it may take as long as it does.

        Whatever has become of the clock since it was asked, they are never more than they were then.
        """
        question = self.question
        if question.expires_at is None:
            return None
        return min(question.expires_at - question.asked_at, max(0.0, question.expires_at - self._now()))

    def open(self, places: Sequence[Place]) -> None:
        """Ask, at all `places` at once.

        Raises `LimitError` where too many questions are open at one of them, or the attempt has asked too much.
        """
        for place in places:
            place.asker.questions.check_room()
        self._allowance.spend(self.question)
        self._places, self._open = places, True
        question = self.question
        for place in places:
            place.asker.questions.add(replace(question, task_id=place.task_id), self)
        told = {name: value for name, value in question.to_dict().items() if name not in _NOT_TOLD}
        self._note("question.asked", told)

    def answer(self, reply: Reply) -> list[Written]:
        """Take a reply, and close the question; what is written of that.

        Raises `ForbiddenError` where only a person may give it, and `ValidationError` if it doesn't fit.
        """
        reply = taken(self.question, reply)
        data = {"question_id": self.question.id, "action": reply.action, "answered_by": reply.answered_by}
        self._reply = reply
        self._answers.note(self.question.id, reply)
        return self._close("question.answered", data)

    def expire(self) -> None:
        """Its time is over: take the default for an answer, or fail without one."""
        if not self._open:
            return
        if self.question.default is not None:
            self.answer(Reply("accept", self.question.default, "default"))
            return
        self._error = QuestionExpiredError(
            f"nobody has answered in time: {self.question.message}",
            hint="resume the run to be asked again; with a `default`, that is the answer where nobody gives one",
        )
        self._close("question.expired", {"question_id": self.question.id})

    def withdraw(self) -> None:
        """Wait for the answer no more, because the attempt that asked is over."""
        if self._open:
            self._error = CancelledError(f"the task that asked is over: {self.question.message}")
            self._close("question.withdrawn", {"question_id": self.question.id})

    async def content(self) -> dict[str, Any]:
        """The answer, once it is there.

        Raises `QuestionDeclinedError` where somebody declines to answer, and `QuestionExpiredError`.
        """
        await self._settled.wait()
        if self._error is not None:
            raise self._error
        assert self._reply is not None
        if self._reply.action == "accept":
            return dict(self._reply.content)
        verb = "declined to answer" if self._reply.action == "decline" else "dismissed the question"
        raise QuestionDeclinedError(
            f"whoever was asked {verb}: {self.question.message}",
            hint="resume the run to be asked again",
            details={"action": self._reply.action},
        )

    def _close(self, kind: str, data: Mapping[str, Any]) -> list[Written]:
        self._open = False
        for place in self._places:
            place.asker.questions.close(self.question.id)
        self._settled.set()
        return self._note(kind, data)

    def _note(self, kind: str, data: Mapping[str, Any]) -> list[Written]:
        """Write at all places which questions are open now, and what has happened."""
        now = self._now()
        noted = [
            place.asker.note_questions(place.task_id, [EventDraft(kind, now, place.task_id, data)])
            for place in self._places
        ]
        return [written for written in noted if written is not None]
