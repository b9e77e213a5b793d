"""How long a run has stood still because questions of it were open, from what was told of it."""

from __future__ import annotations

from collections.abc import Iterable

from gleitzeit.core.models import Event
from gleitzeit.store.base import Store

_PAGE = 1_000


async def stood_still(store: Store, run_id: str, now: float) -> float:
    """Seconds until `now` in which at least one question was open, whether or not a process carried the run out."""
    told: list[Event] = []
    after = 0
    while page := await store.events(run_id, after, _PAGE):
        told += [event for event in page if event.kind.startswith("question.")]
        after = page[-1].seq
    return standstill(told, now)


def standstill(events: Iterable[Event], now: float) -> float:
    """The same, from the events of questions in order."""
    seconds, since = 0.0, now
    open_ones: set[str] = set()
    for event in events:
        question_id = str(event.data["question_id"])
        if event.kind == "question.asked":
            since = since if open_ones else event.at
            open_ones.add(question_id)
        elif question_id in open_ones:
            open_ones.remove(question_id)
            seconds += 0.0 if open_ones else max(0.0, event.at - since)
    return seconds + max(0.0, now - since) if open_ones else seconds
