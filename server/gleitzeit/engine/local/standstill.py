"""How long a run has stood still because questions of it were open, from what was told of it."""

from __future__ import annotations

from collections.abc import Iterable

from gleitzeit.core.models import Event
from gleitzeit.store.base import Store

_PAGE = 1_000
_ENDS = frozenset({"task.completed", "task.failed", "task.unknown", "task.cancelled", "task.retrying"})


async def stood_still(store: Store, run_id: str, now: float) -> float:
    """Seconds until `now` in which at least one question was open, whether or not a process carried the run out."""
    return standstill(await questions_told(store, run_id), now)


async def questions_told(store: Store, run_id: str) -> list[Event]:
    """What was told of the questions of a run, and of the ends of its tasks."""
    told: list[Event] = []
    after = 0
    while page := await store.events(run_id, after, _PAGE):
        told += [event for event in page if event.kind.startswith("question.") or event.kind in _ENDS]
        after = page[-1].seq
    return told


def standstill(events: Iterable[Event], now: float) -> float:
    """The same, from these events in order. A task that was cut off may end without having asked again."""
    seconds, since = 0.0, now
    open_ones: dict[str, str | None] = {}
    for event in events:
        if event.kind == "question.asked":
            since = since if open_ones else event.at
            open_ones[str(event.data["question_id"])] = event.task_id
            continue
        closed = [question_id for question_id, task_id in open_ones.items() if _closes(event, question_id, task_id)]
        for question_id in closed:
            del open_ones[question_id]
        if closed and not open_ones:
            seconds += max(0.0, event.at - since)
    return seconds + max(0.0, now - since) if open_ones else seconds


def _closes(event: Event, question_id: str, task_id: str | None) -> bool:
    if event.kind in _ENDS:
        return event.task_id == task_id
    return bool(event.data["question_id"] == question_id)
