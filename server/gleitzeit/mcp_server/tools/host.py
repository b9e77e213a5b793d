"""`Host`: the client of one call, where it can ask a person."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError as MalformedResultError

from gleitzeit.application.answering import until_closed
from gleitzeit.core.errors import ConflictError, NotFoundError, RunNotFoundError, ValidationError
from gleitzeit.core.forms import form_of
from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Engine, Reply

logger = logging.getLogger(__name__)

_MOST_TRIES = 3

Push = Callable[[str, dict[str, Any]], Awaitable[types.ElicitResult]]


class AnswersNeededError(Exception):
    """The host has to ask its person before a call can go on; it then makes the same call again, with the answers."""

    def __init__(self, run: Run, requests: Mapping[str, types.ElicitRequest]) -> None:
        super().__init__(f"run {run.id} waits for {len(requests)} answers")
        self.run = run
        self.requests = requests


class Host:
    """Asks its person by `push` or, without that, by ending the call until there are answers.

    With `choices` its forms let people choose several of a list, or one by its title. What comes from one that has no
    `person` may be a model's word: it is not asked for what only a person may answer.
    """

    def __init__(self, push: Push | None, *, choices: bool, person: bool = True) -> None:
        self.person = person
        self._push = push
        self._choices = choices
        self._complaints: dict[str, list[str]] = {}
        self._left: set[str] = set()

    async def ask(self, engine: Engine, run: Run, caller: str | None) -> bool:
        """Put an open question of a run to the person; false where there is none that could be put.

        Raises `AnswersNeededError` where the call has to end for that.
        """
        askable = self._askable(run)
        if not askable:
            return False
        if self._push is None:
            raise AnswersNeededError(run, self.requests(run))
        question, form = askable[0]
        reply = await self._pushed(self._push, engine, run, question, form)
        if reply is not None:
            await self.deliver(engine, run.id, {question.id: reply}, caller)
        return True

    def requests(self, run: Run) -> dict[str, types.ElicitRequest]:
        """What of a run's open questions can be put to the person, by the ids of the questions."""
        return {question.id: self._request(question, form) for question, form in self._askable(run)}

    def tries(self, question_id: str) -> int:
        """How many answers to a question have not fitted."""
        return len(self._complaints.get(question_id, ()))

    async def deliver(self, engine: Engine, run_id: str, replies: Mapping[str, Reply], caller: str | None) -> None:
        """Answer questions of a run. One whose answer does not fit stays open, and is put again with what is wrong.

        Raises `RunNotFoundError` where the caller has no such run.
        """
        for question_id, reply in replies.items():
            try:
                await engine.answer(run_id, question_id, reply, caller=caller)
            except RunNotFoundError:
                raise
            except ValidationError as error:
                self._complaints.setdefault(question_id, []).append(error.message)
            except (ConflictError, NotFoundError) as error:
                logger.info("a person's answer is not needed any more: %s", error)

    def _askable(self, run: Run) -> list[tuple[Question, dict[str, Any]]]:
        return [(question, form) for question in run.questions if (form := self._form(question)) is not None]

    def _form(self, question: Question) -> dict[str, Any] | None:
        if question.person and not self.person:
            return None
        if question.id in self._left or len(self._complaints.get(question.id, ())) >= _MOST_TRIES:
            return None
        return form_of(question.schema, choices=self._choices)

    def _words(self, question: Question) -> str:
        complaints = self._complaints.get(question.id)
        return f"{complaints[-1]}\n\n{question.message}" if complaints else question.message

    def _request(self, question: Question, form: dict[str, Any]) -> types.ElicitRequest:
        params = types.ElicitRequestFormParams(message=self._words(question), requested_schema=form)
        return types.ElicitRequest(params=params)

    async def _pushed(
        self, push: Push, engine: Engine, run: Run, question: Question, form: dict[str, Any]
    ) -> Reply | None:
        """What the person says; nothing where the question is closed before, or the host could not ask."""
        replies: list[Reply] = []
        async with until_closed(engine, run, question):
            try:
                replies.append(reply_of(await push(self._words(question), form), person=self.person))
            except (MCPError, MalformedResultError) as error:
                logger.warning("the host could not ask its person: %s", error)
                self._left.add(question.id)
        return replies[0] if replies else None


def reply_of(result: types.ElicitResult, *, person: bool) -> Reply:
    """What the person at the host says, or a model where there is none."""
    return Reply(result.action, result.content or {}, answered_by="person" if person else "model")
