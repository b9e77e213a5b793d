"""A run in words for a person."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from gleitzeit.application import Undecided
from gleitzeit.cli.output import json_text
from gleitzeit.cli.way_on import explained, resuming
from gleitzeit.core.diagnostics import listed
from gleitzeit.core.models import Question, Run, TaskResult
from gleitzeit.engine.base import RunSummary

_LONGEST = 200
_MOST_METHODS = 10


def told_summary(run: RunSummary) -> dict[str, Any]:
    """A run of a list as JSON data, with times as `Run.to_dict` has them."""
    told = {"run_id": run.id, "name": run.name, "status": run.status, "created_at": run.created_at}
    if run.finished_at is not None:
        told["finished_at"] = run.finished_at
    return told | ({"error": run.error} if run.error else {})


def told_run(run: Run, undecided: Undecided, *, abandoned: Collection[str] | None) -> Iterator[str]:
    """The lines that say how a run stands; one that no process carries out is `abandoned`, with its methods."""
    origin = f", resumed from {run.resumed_from}" if run.resumed_from else ""
    end = f", {run.finished_at - run.created_at:.1f} s" if run.finished_at is not None else ""
    yield f"{run.id}  {run.name}: {run.status}{end}, begun {moment(run.created_at)}{origin}"
    for task in run.tasks.values():
        yield f"  {task.status:<10} {task.task_id}{_facts(task)}"
    if run.error is not None:
        yield f"error: {run.error}"
    if run.outputs:
        yield f"outputs: {json_text(dict(run.outputs))}"
    explanation = explained(undecided)
    if explanation:
        yield explanation
    for question in run.questions:
        yield f"question {question.id} of {question.task_id}: {question.message}"
        yield from (f"  {line}" for line in _about(question))
    following = _next(run, undecided, abandoned)
    if following:
        yield f"next: {following}"


def _about(question: Question) -> Iterator[str]:
    if question.schema.get("properties"):
        yield f"the answer fits {json.dumps(dict(question.schema), ensure_ascii=False)}"
    if question.default is not None and question.expires_at is not None:
        yield f"from {moment(question.expires_at)} it is {json.dumps(dict(question.default), ensure_ascii=False)}"
    elif question.expires_at is not None:
        yield f"it can be answered until {moment(question.expires_at)}"
    if question.person:
        yield "only a person answers it, at a terminal"


def moment(seconds: float) -> str:
    """A time as the clock on the wall shows it."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(sep=" ", timespec="seconds")


def _facts(task: TaskResult) -> str:
    facts: list[str] = []
    if task.started_at is not None and task.finished_at is not None:
        facts.append(f"{task.finished_at - task.started_at:.1f} s")
    if task.attempts > 1:
        facts.append(f"{task.attempts} attempts")
    if task.not_before is not None:
        facts.append(f"next attempt at {moment(task.not_before)}")
    if "kept_from" in task.metadata:
        facts.append(f"kept from {task.metadata['kept_from']}")
    if "cached_from" in task.metadata:
        facts.append(f"as in {task.metadata['cached_from']}, by its cache")
    if "not_cached" in task.metadata:
        facts.append(f"not cached: {str(task.metadata['not_cached'])[:_LONGEST]}")
    if task.error is not None:
        facts.append(task.error.message.strip().partition("\n")[0][:_LONGEST])
    return f"  ({'; '.join(facts)})" if facts else ""


def _next(run: Run, undecided: Undecided, abandoned: Collection[str] | None) -> str | None:
    if run.questions:
        return f"answer what it asks: gleitzeit runs answer {run.id}"
    if abandoned is not None:
        serving = f" that serves {listed(sorted(abandoned), _MOST_METHODS)}" if abandoned else ""
        return f"no process carries it out now; a server{serving} takes it up, or: gleitzeit runs resume {run.id}"
    if run.error is not None and "resumed_by" in run.error.details:
        return f"it goes on as another run: gleitzeit runs show {run.error.details['resumed_by']}"
    return resuming(run.id, undecided) if run.status in ("failed", "cancelled", "waiting") else None
