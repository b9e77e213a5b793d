"""`Course`: what follows from what became of the tasks of a run. The plan decides; here its decisions become rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, assert_never

from gleitzeit.core import retry
from gleitzeit.core.errors import GleitzeitError, LimitError
from gleitzeit.core.models import OVER, Failure, RunState
from gleitzeit.core.plan import Plan
from gleitzeit.core.plan_actions import Action, Continue, Finish, Join, Outcome, Rest, Skip, Start
from gleitzeit.core.references import ABSENT
from gleitzeit.engine.local.attempt import Attempt
from gleitzeit.engine.local.context import Ending, RunContext
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.engine.local.draft import Draft
from gleitzeit.engine.local.items import ItemResults
from gleitzeit.engine.local.outputs import Given, declared, default
from gleitzeit.engine.local.work import Follower, Work
from gleitzeit.store.base import EventDraft, RunRow, TaskRow


class Stage(Follower, Protocol):
    """Where works begin, and outputs are computed, once that is written."""

    def begin_work(self, work: Work) -> None:
        """Have a work begin."""
        ...

    def pause_work(self, work: Work, seconds: float) -> None:
        """Have the attempt after `work` begin in `seconds`."""
        ...

    def compute_outputs(self) -> None:
        """Have the outputs computed, and tell them to the course."""
        ...


class Course:
    """The plan of one run. It writes into the draft that it is given, and enters the results of tasks in its context.

    Nobody else does; rows that are stored already stand in `context.rows`, which it only reads.
    """

    def __init__(self, context: RunContext, stage: Stage) -> None:
        self._context = context
        self._results = context.results
        self._stage = stage
        self._dispatches: dict[str, Dispatch] = {task.id: Dispatch(task) for task in context.run.workflow.tasks}
        self._items: dict[str, ItemResults] = {}
        self._begun: dict[str, TaskRow] = {}
        self._plan: Plan | None = None
        self._finish: Finish | None = None

    def open(self, rows: Mapping[str, TaskRow], items: Mapping[str, ItemResults], draft: Draft) -> None:
        """Start what is due after `rows`, stored or not. Raises `DocumentError` where tasks wait for each other."""
        self._begun = {key: row for key, row in rows.items() if row.state in ("running", "ready")}
        self._items |= items
        self._results |= {key: rows[key].result for key in rows if key in self._dispatches and rows[key].state in OVER}
        self._plan = Plan.open(self._context.run.workflow, rows)
        self._apply(self._plan.start(), draft)

    def after(self, work: Work, ending: Ending, draft: Draft) -> None:
        """Start what is due now that an attempt is over."""
        if ending.kind == "again":
            self._stage.pause_work(work, ending.delay)
            return
        if ending.cache is not None:
            draft.cache.append(ending.cache)
        if work.index is not None:
            self._items[work.task_id].note(work.index, ending.row, ending.size)
        elif ending.kind == "expanded":
            self._items[work.task_id] = ItemResults(ending.items)
        else:
            self._results[work.task_id] = ending.row.result
        self._apply(self._decide(Outcome(ending.kind, ending.row.key, len(ending.items))), draft)

    def end(self, given: Given, draft: Draft) -> None:
        """End the run with what it gives back, or with why it gives nothing."""
        failure = given if isinstance(given, Failure) else None
        cancelled = self._finish is not None and self._finish.state == "cancelled"
        state: RunState = "failed" if failure is not None else "cancelled" if cancelled else "completed"
        now = self._context.parts.clock.now()
        facts = {} if failure is None else {"error": failure.to_dict()}
        outputs = {} if isinstance(given, Failure) else given
        draft.events.append(EventDraft(f"run.{state}", now, None, facts))
        draft.run = self._row_of_run(draft)._replace(state=state, finished_at=now, outputs=outputs, failure=failure)

    def _row_of_run(self, draft: Draft) -> RunRow:
        return draft.run or self._context.run

    def _decide(self, outcome: Outcome) -> list[Action]:
        assert self._plan is not None
        return self._plan.after(outcome)

    def _apply(self, actions: Sequence[Action], draft: Draft) -> None:
        due = deque(actions)
        while due:
            action = due.popleft()
            match action:
                case Start():
                    self._start(action)
                case Skip():
                    self._skip(action, draft)
                case Join():
                    due.extend(self._join(action, draft))
                case Finish():
                    self._conclude(action, draft)
                case Rest():
                    draft.run = self._row_of_run(draft)._replace(state="waiting")
                case Continue():
                    raise GleitzeitError(f"{action.key} goes on after waiting, which this engine cannot do")
                case _:
                    assert_never(action)

    def _start(self, start: Start) -> None:
        dispatch = self._dispatches[start.task_id]
        item = ABSENT if start.index is None else self._items[start.task_id].items[start.index]
        attempt = Attempt(start.key, dispatch.task, self._context)
        work = Work(attempt, dispatch, self._context, self._stage, start.index, item)
        row = self._begun.pop(start.key, None) if self._begun else None
        if row is None or row.attempts == 0:
            self._stage.begin_work(work)
        else:
            self._start_again(work, row)

    def _start_again(self, work: Work, row: TaskRow) -> None:
        """Go on with a task that has had attempts before this process."""
        attempt = work.attempt
        attempt.go_on_from(row)
        if row.state == "running":  # it was cut off
            self._stage.begin_work(work.following())
            return
        left = (row.not_before or 0.0) - self._context.parts.clock.now()
        # Whatever has become of the clock since that was decided, it is never longer than the delay itself was.
        longest = retry.delay(attempt.task.retry, attempt.failures, 1.0)
        self._stage.pause_work(work, max(0.0, min(left, longest)))

    def _skip(self, skip: Skip, draft: Draft) -> None:
        now = self._context.parts.clock.now()
        draft.tasks.append(TaskRow(skip.key, "skipped", finished_at=now))
        reason = {"reason": f'"{skip.blocker}" did not complete'}
        draft.events.append(EventDraft("task.skipped", now, skip.key, reason))
        self._results[skip.key] = None

    def _join(self, join: Join, draft: Draft) -> Sequence[Action]:
        """End a foreach; what follows from that."""
        parts = self._context.parts
        items, now, kind = self._items.pop(join.key), parts.clock.now(), join.state
        result, failure = None, None
        if kind == "completed":
            try:
                result = items.joined(parts.result_bytes)
            except LimitError as error:
                kind, failure = "failed", Failure.of(error)
        else:
            failure = items.failure(kind)
        row = self._row(join.key, draft)
        draft.tasks.append(row._replace(state=kind, result=result, failure=failure, finished_at=now))
        facts = {} if failure is None else {"error": failure.to_dict()}
        draft.events.append(EventDraft(f"task.{kind}", now, join.key, facts))
        self._results[join.key] = result
        return self._decide(Outcome(kind, join.key))

    def _conclude(self, finish: Finish, draft: Draft) -> None:
        """End the run; what it gives back may have to be computed first."""
        self._finish = finish
        given: Given | None
        if finish.failed:
            given = self._cause(finish, draft)
        elif self._context.run.workflow.outputs is None:
            assert self._plan is not None
            given = default(self._results, self._plan.sinks)
        else:
            given = declared(self._context)
        if given is None:
            self._stage.compute_outputs()
        else:
            self.end(given, draft)

    def _cause(self, finish: Finish, draft: Draft) -> Failure:
        task_id = finish.failed[0]
        failure = self._row(task_id, draft).failure or Failure("internal", "it gave no reason")
        message = f'task "{task_id}" failed: {failure.message}'
        if len(finish.failed) > 1:
            message += f" (and {len(finish.failed) - 1} more)"
        return replace(failure, message=message, details={**failure.details, "failed": list(finish.failed)})

    def _row(self, key: str, draft: Draft) -> TaskRow:
        """A task's row with what is about to be written of it."""
        return draft.row(key) or self._context.rows.tasks[key]
