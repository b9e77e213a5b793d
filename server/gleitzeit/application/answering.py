"""Questions of a run, as whoever puts them to a person has to follow them."""

from __future__ import annotations

from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Engine


async def closed(engine: Engine, run: Run, question: Question) -> None:
    """Return once a question that was open in `run` is not any more, whoever has answered it or stopped waiting."""
    async for event in engine.events(run.id, run.seq):
        if event.kind != "question.asked" and event.data.get("question_id") == question.id:
            return
