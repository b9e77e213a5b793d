"""`Post`: replies to questions that nobody asks in this process: another one does, or none does now."""

from __future__ import annotations

import logging

import anyio

from gleitzeit.core.errors import ConflictError, GleitzeitError
from gleitzeit.core.models import OVER, Question
from gleitzeit.engine.base import Reply
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.family import Family
from gleitzeit.engine.local.open_questions import no_question, not_open
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.engine.local.replies import taken
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.standstill import questions_told
from gleitzeit.engine.local.waiting import answered, questions_in, questions_of
from gleitzeit.store.base import Change, EventDraft, Request, Snapshot

logger = logging.getLogger("gleitzeit.engine")

_SECONDS = 10.0


class Post:
    """Writes a reply to the rows of a run that nobody carries out, and else leaves it to whoever does.

    `changed` rings for a run that is not carried out here, for whoever watches it.
    """

    def __init__(self, parts: EngineParts, open_runs: OpenRuns, family: Family, changed: Bells) -> None:
        self._parts = parts
        self._open_runs = open_runs
        self._family = family
        self._changed = changed

    async def deliver(self, snapshot: Snapshot, question_id: str, reply: Reply) -> None:
        """Have a reply recorded. Raises what speaks against it."""
        question = _shown(snapshot, question_id)
        reply = taken(question, reply)
        if question.expires_at is not None and self._parts.clock.now() >= question.expires_at:
            raise ConflictError(f'the time of the question "{question_id}" is over')
        if not await self._written(snapshot, question_id, reply):
            body = {"question_id": question_id, **reply.to_dict()}
            await self._parts.store.request(Request(snapshot.run.id, "answer", body))
            with anyio.move_on_after(_SECONDS):
                await self._closed(snapshot.run.id, question_id)
                await self._check_taken(snapshot.run.id, question_id, reply)

    async def _written(self, snapshot: Snapshot, question_id: str, reply: Reply) -> bool:
        """Write it to the run and to those that wait for it; false where a living process carries them out."""
        async with self._open_runs.claiming:
            for run_id in dict.fromkeys((snapshot.run.root_id or snapshot.run.id, snapshot.run.id)):
                if self._open_runs.find(run_id) is not None:
                    return False
                claimed = await self._parts.store.claim(run_id)
                if claimed is not None:
                    await self._write(claimed, question_id, reply)
                    return True
        return False

    async def _write(self, claimed: Snapshot, question_id: str, reply: Reply) -> None:
        changes = [self._change(one, question_id, reply) for one in await self._family.claimed_with(claimed)]
        for outcome in await self._parts.store.commit(changes):
            if isinstance(outcome, GleitzeitError):
                raise outcome
        for change in changes:
            self._changed.ring(change.run_id)
        if not any(change.tasks for change in changes):  # somebody was quicker
            raise not_open(question_id)

    def _change(self, snapshot: Snapshot, question_id: str, reply: Reply) -> Change:
        """What is written of one run: the reply, where a task of it waits for that; it is given up in any case."""
        run, now = snapshot.run, self._parts.clock.now()
        asking = [
            row for row in snapshot.tasks.values() if row.state == "waiting" and _asks(questions_of(row), question_id)
        ]
        data = {"question_id": question_id, "action": reply.action, "answered_by": reply.answered_by}
        return Change(
            run.id,
            run.epoch,
            [answered(row, question_id, reply) for row in asking],
            [EventDraft("question.answered", now, row.key, data) for row in asking],
            release=True,
        )

    async def _check_taken(self, run_id: str, question_id: str, reply: Reply) -> None:
        """Raise `ConflictError` where another reply, or none, has closed the question."""
        for event in reversed(await questions_told(self._parts.store, run_id)):
            if event.data.get("question_id") == question_id and event.kind != "question.asked":
                if (event.data.get("action"), event.data.get("answered_by")) == (reply.action, reply.answered_by):
                    return
                break
        raise not_open(question_id)

    async def _closed(self, run_id: str, question_id: str) -> None:
        """Return once the question is not open any more."""
        while True:
            runner = self._open_runs.find(run_id)
            bell = self._changed.of(run_id) if runner is None else runner.bell
            rings = bell.rings
            snapshot = await self._parts.store.load(run_id)
            if snapshot is None or snapshot.run.state in OVER or not _asks(_all(snapshot), question_id):
                return
            await bell.rung(rings)


def take(runner: Runner, request: Request) -> None:
    """Give the reply that another process has left to a question, if that is open; it may have been left before."""
    question_id = str(request.body["question_id"])
    if not runner.questions.is_open(question_id):
        return
    try:
        runner.questions.find(question_id).answer(Reply.from_dict(request.body))
    except GleitzeitError as error:
        logger.warning("an answer that another process has left is not taken: %s", error)


def _shown(snapshot: Snapshot, question_id: str) -> Question:
    """The question as the run shows it. Raises `ConflictError` and `NotFoundError` where it shows none."""
    run = snapshot.run
    if run.state in OVER:
        raise ConflictError(f"the run {run.id} is {run.state}: it asks nothing any more")
    for question in _all(snapshot):
        if question.id == question_id:
            return question
    raise no_question(question_id)


def _all(snapshot: Snapshot) -> tuple[Question, ...]:
    return questions_in(snapshot.tasks.values())


def _asks(questions: list[Question] | tuple[Question, ...], question_id: str) -> bool:
    return any(question.id == question_id for question in questions)
