"""`Answers`: what a task was told, so that no later attempt asks for it again, and what it asked when it was cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.digest import digest
from gleitzeit.core.models import Question
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.results import measured
from gleitzeit.engine.local.waiting import questions_of, replies_of, with_replies
from gleitzeit.store.base import TaskRow

MOST_KEPT = 256 * 1024
"""How large all replies to one task may be together; what is more is asked for again by a later attempt."""

_ID = 16


class Answers:
    """The replies that one attempt knows, those to earlier attempts among them.

    A question is known by the task that asks, its text and schema, and by how often that was asked before: whoever
    asks the same in the same order gets the same replies.
    """

    __slots__ = ("_left", "_occurrences", "_replies", "_room", "_seen")

    def __init__(self, replies: Mapping[str, Reply] | None = None, left: Sequence[Question] = ()) -> None:
        self._replies: dict[str, Reply] = dict(replies or {})
        self._left = {question.id: question for question in left}
        self._occurrences: dict[str, int] = {}
        self._seen: set[str] = set()
        self._room = MOST_KEPT - sum(_size(reply) for reply in self._replies.values())

    @classmethod
    def stored(cls, row: TaskRow) -> Answers | None:
        """What is stored of an attempt that was cut off, if there is anything."""
        replies, left = replies_of(row), questions_of(row)
        return cls(replies, left) if replies or left else None

    def following(self) -> Answers:
        """What the next attempt knows."""
        return Answers(self._replies, list(self._left.values()))

    def name(self, *identity: Any) -> str:
        """The id of a question that is asked now: the same in every attempt, and another one for each time."""
        text = digest(*identity)
        self._occurrences[text] = occurrence = self._occurrences.get(text, 0) + 1
        return digest(text, occurrence)[:_ID]

    def reply(self, question_id: str) -> Reply | None:
        """What was said to a question before, if anything."""
        return self._replies.get(question_id)

    def note(self, question_id: str, reply: Reply) -> None:
        """Keep a reply, where there is room for it."""
        size = _size(reply)
        if size <= self._room:
            self._room -= size
            self._replies[question_id] = reply

    def earlier(self, question_id: str) -> Question | None:
        """The question as it was open when the attempt before was cut off."""
        return self._left.get(question_id)

    def open(self, questions: Sequence[Question]) -> list[Question]:
        """The questions that are open now, with those of the attempt before that may still be asked again.

        Once anything else is asked, none of them is.
        """
        for question in questions:
            if question.id not in self._seen:
                self._seen.add(question.id)
                if self._left.pop(question.id, None) is None:
                    self._left.clear()
        return [*self._left.values(), *questions]

    def give_up(self) -> None:
        """The attempt is over: what was open before it is not asked any more."""
        self._left.clear()

    def within(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """The metadata of a task with the replies."""
        return with_replies(metadata, self._replies)


def _size(reply: Reply) -> int:
    return measured(reply.content)[1]
