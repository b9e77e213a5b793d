"""Questions of a run, as whoever puts them to a person has to follow them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from gleitzeit.core.groups import unwrapped
from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Engine


@asynccontextmanager
async def until_closed(engine: Engine, run: Run, question: Question) -> AsyncGenerator[None]:
    """Cancel the body, which puts an open question of `run` to a person, once that question is not open any more.

    Somebody else has answered it then, or nobody waits for the answer.
    """
    async with unwrapped(anyio.create_task_group()) as tasks:
        tasks.start_soon(_cancel_when_closed, engine, run, question, tasks.cancel_scope)
        try:
            yield
        finally:
            tasks.cancel_scope.cancel()


async def _cancel_when_closed(engine: Engine, run: Run, question: Question, body: anyio.CancelScope) -> None:
    async for event in engine.events(run.id, run.seq):
        if event.kind != "question.asked" and event.data.get("question_id") == question.id:
            body.cancel()
            return
