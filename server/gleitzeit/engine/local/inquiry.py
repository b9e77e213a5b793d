"""`Inquiry`: one question of a task, open at its run and at those that have started it, until somebody answers."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import anyio

from gleitzeit.core.errors import (
    CancelledError,
    GleitzeitError,
    QuestionDeclinedError,
    ValidationError,
)
from gleitzeit.core.models import Question
from gleitzeit.core.schema import check_schema, misfits, refusal
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.results import measured
from gleitzeit.store.base import EventDraft

_LONGEST_MESSAGE = 4_000
_LARGEST_SCHEMA = 64 * 1024
_LARGEST_ANSWER = 1024 * 1024


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
    """One question, and what becomes of it. `now` is the clock of events; `allowance` is that of the attempt."""

    __slots__ = ("_allowance", "_error", "_now", "_open", "_places", "_reply", "_settled", "question")

    def __init__(self, question: Question, allowance: Allowance, now: Callable[[], float]) -> None:
        self.question = question
        self._allowance = allowance
        self._now = now
        self._places: Sequence[Place] = ()
        self._settled = anyio.Event()
        self._reply: Reply | None = None
        self._error: GleitzeitError | None = None
        self._open = False

    def open(self, places: Sequence[Place]) -> None:
        """Ask, at all `places` at once.

        Raises `LimitError` where too many questions are open at one of them, or the attempt has asked too much.
        """
        for place in places:
            place.asker.questions.check_room()
        self._allowance.spend(self.question)
        self._places, self._open = places, True
        question = self.question
        data = {"question_id": question.id, "message": question.message, "schema": question.schema}
        for place in places:
            place.asker.questions.add(replace(question, task_id=place.task_id), self)
        self._note("question.asked", data)

    def answer(self, reply: Reply) -> list[Written]:
        """Take a reply, and close the question; what is written of that. Raises `ValidationError` if it doesn't fit."""
        if reply.action == "accept":
            reply = replace(reply, content=self._checked(reply.content))
        data = {"question_id": self.question.id, "action": reply.action, "answered_by": reply.answered_by}
        self._reply = reply
        return self._close("question.answered", data)

    def withdraw(self) -> None:
        """Wait for the answer no more, because the attempt that asked is over."""
        if self._open:
            self._error = CancelledError(f"the task that asked is over: {self.question.message}")
            self._close("question.withdrawn", {"question_id": self.question.id})

    async def content(self) -> dict[str, Any]:
        """The answer, once it is there. Raises `QuestionDeclinedError` where somebody declines to answer."""
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

    def _checked(self, content: Any) -> dict[str, Any]:
        data: Any = measured(content, _LARGEST_ANSWER, "the answer")[0]
        found = misfits(self.question.schema, data, whole=True)
        if found:
            raise refusal("the answer", found)
        return dict(data)


def inquiry_of(
    message: str,
    schema: Mapping[str, Any] | None,
    allowance: Allowance,
    redact: Callable[[Any], Any],
    now: Callable[[], float],
) -> Inquiry:
    """The inquiry of a task. Raises `ValidationError` for a schema that no object can be checked by."""
    text = redact(str(message))
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[: _LONGEST_MESSAGE - 1]}…"
    return Inquiry(Question(randomness.token_hex(8), "", text, redact(_sound(schema)), now()), allowance, now)


def _sound(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    data: Any = measured(schema or {}, _LARGEST_SCHEMA, "the schema of a question")[0]
    data = {"type": "object", "properties": {}, **data}
    if data["type"] != "object":
        raise ValidationError(
            "the schema of a question is that of an object, whose properties are what is asked for",
            hint='for one value: {"properties": {"value": ...}, "required": ["value"]}',
        )
    problems = check_schema(data)
    if problems:
        told = "; ".join(f"{path}: {problem}" if path else problem for path, problem in problems)
        raise ValidationError(f"the schema of a question is none: {told}")
    return dict(data)
