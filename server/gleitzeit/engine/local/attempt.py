"""`Attempt`: which attempt of which task this is, and how what becomes of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gleitzeit.core import retry
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Failure, Question, Task
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.context import Ending, RunContext
from gleitzeit.engine.local.failures import recorded_failure
from gleitzeit.engine.local.repeating import repeatable
from gleitzeit.engine.local.results import as_data
from gleitzeit.engine.local.waiting import asking, held_back, is_held_back
from gleitzeit.store.base import CacheEntry, EventDraft, TaskRow


class Attempt:
    """One attempt of a task, or of an item of a foreach. `facts` are what its provider recorded of it.

    `interrupted` counts the attempts before it that the end of a process cut off, `crashes` those of them that were
    cut off without warning. While it is `held_back`, it asks before anything is carried out; it is `begun_with` once
    something of it may have been.
    """

    __slots__ = (
        "_answers",
        "_context",
        "begun_with",
        "crashes",
        "facts",
        "held_back",
        "interrupted",
        "key",
        "number",
        "started_at",
        "task",
    )

    def __init__(self, key: str, task: Task, context: RunContext) -> None:
        self.key = key
        self.task = task
        self.number = 1
        self.interrupted = 0
        self.crashes = 0
        self.started_at: float | None = None
        self.facts: Mapping[str, Any] = {}
        self.held_back = False
        self.begun_with = False
        self._answers: Answers | None = None
        self._context = context

    def answers(self) -> Answers:
        """What it was told, and the attempts before it."""
        self._answers = self._answers or Answers()
        return self._answers

    def go_on_from(self, row: TaskRow) -> None:
        """Be the attempt that is stored; one that is stored as running was cut off."""
        self.number = row.attempts
        self.started_at = row.started_at
        self.interrupted = int(row.metadata.get("interrupted", 0))
        self.crashes = int(row.metadata.get("crashes", 0))
        self._answers = Answers.stored(row)
        self.begun_with = row.state in ("running", "waiting") and not is_held_back(row)
        if row.state == "running":
            self.interrupted += 1
            self.crashes += not row.metadata.get("parked", False)

    def next(self) -> Attempt:
        """The attempt after this one."""
        following = Attempt(self.key, self.task, self._context)
        following.number = self.number + 1
        following.interrupted = self.interrupted
        following.crashes = self.crashes
        following.started_at = self.started_at
        following._answers = None if self._answers is None else self._answers.following()
        return following

    def begun(self) -> TaskRow:
        """Its row while it runs, or while questions of an attempt that was cut off may still be asked again."""
        return self.asking(())

    def parked(self, questions: Sequence[Question]) -> TaskRow:
        """Its row where it is cut off in good order, with the questions that are open."""
        row = self.asking(questions)
        row = row._replace(metadata={**row.metadata, **self._cuts(), "parked": True})
        return row if self.begun_with else held_back(row)

    def asking(self, questions: Sequence[Question]) -> TaskRow:
        """Its row while questions of it are open, and again once none is."""
        row = TaskRow(self.key, "running", self.number, started_at=self.started_at, metadata=self._cuts())
        if self._answers is None and not questions:
            return row
        answers = self.answers()
        opened = answers.open(questions)
        row = row._replace(metadata=answers.within(row.metadata))
        return asking(row, opened, held_back=self.held_back) if opened else row

    def completed(self, result: dict[str, Any], size: int, digest: str | None) -> Ending:
        """It has a result of about `size` bytes, which may be used again under `digest` where the task says so."""
        now, secrets = self._context.parts.clock.now(), self._context.secrets
        row = TaskRow(
            self.key,
            "completed",
            self.number,
            secrets.redact(result),
            None,
            self.started_at,
            now,
            metadata=self._metadata(),
        )
        cache = None
        if digest is not None and self.task.cache is not None:
            cache = CacheEntry(digest, self.key, now + self.task.cache.ttl)
        return Ending("completed", row, [EventDraft("task.completed", now, self.key)], size=size, cache=cache)

    async def failed(self, error: GleitzeitError) -> Ending:
        """What follows from an error: another attempt, or the end."""
        context = self._context
        harmless = error.ambiguous and await repeatable(context.parts.methods, self.task, context.rows.calls(self.key))
        verdict = retry.verdict(Failure.of(error), self.task.retry, self.failures, harmless)
        failure = recorded_failure(error, context.secrets.redact)
        return self._again(failure) if verdict == "retry" else self._ended(verdict, failure)

    @property
    def failures(self) -> int:
        """The attempts that failed by themselves: one that was cut off counts for nothing."""
        return max(1, self.number - self.interrupted)

    def _again(self, failure: Failure) -> Ending:
        clock = self._context.parts.clock
        now, seconds = clock.now(), retry.delay(self.task.retry, self.failures, clock.jitter())
        facts = {"attempt": self.number, "delay": seconds, "error": failure.to_dict()}
        metadata = self._metadata()
        if self._answers is not None:
            self._answers.give_up()
            metadata = self._answers.within(metadata)
        row = TaskRow(
            self.key,
            "ready",
            self.number,
            failure=failure,
            started_at=self.started_at,
            not_before=now + seconds,
            metadata=metadata,
        )
        return Ending("again", row, [EventDraft("task.retrying", now, self.key, facts)], delay=seconds)

    def _ended(self, verdict: Literal["fail", "unknown"], failure: Failure) -> Ending:
        state: Literal["failed", "unknown"] = "unknown" if verdict == "unknown" else "failed"
        now = self._context.parts.clock.now()
        row = TaskRow(
            self.key,
            state,
            self.number,
            failure=failure,
            started_at=self.started_at,
            finished_at=now,
            metadata=self._metadata(),
        )
        return Ending(state, row, [EventDraft(f"task.{state}", now, self.key, {"error": failure.to_dict()})])

    def _metadata(self) -> Mapping[str, Any]:
        facts: dict[str, Any] = as_data(self.facts, self._context.secrets.redact) if self.facts else {}
        return {**facts, **self._cuts()} if self.interrupted else facts

    def _cuts(self) -> dict[str, Any]:
        return {"interrupted": self.interrupted, "crashes": self.crashes} if self.interrupted else {}
