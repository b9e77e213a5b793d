"""Which replies a question takes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.models import Question
from gleitzeit.core.schema import misfits, refusal
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.results import measured

_LARGEST_ANSWER = 1024 * 1024
_PERSONS = frozenset({"person", "default"})


def may_give(question: Question, reply: Reply) -> bool:
    """Whether a reply comes from somebody who may give it: what a task had by default is no approval."""
    if question.approval is not None:
        return reply.answered_by == "person"
    return not question.person or reply.answered_by in _PERSONS


def taken(question: Question, reply: Reply) -> Reply:
    """The reply as it is kept. Raises `ForbiddenError` where only a person may give it, and `ValidationError`."""
    if not may_give(question, reply):
        raise ForbiddenError(
            f'the question "{question.id}" is for a person, and no tool or program can answer it',
            hint="a person answers where the host asks them, or by `gleitzeit runs answer` with the id of the run, "
            "typed in a terminal",
        )
    if reply.action != "accept":
        return reply
    content: Any = measured(reply.content, _LARGEST_ANSWER, "the answer")[0]
    found = misfits(question.schema, content, whole=True)
    if found:
        raise refusal("the answer", found)
    return replace(reply, content=dict(content))
