"""What of a run stays as it is when the run is taken up again. No clock and no I/O, like the plan that goes on from it.

A task is kept if it ended well, nothing that decides its result has changed, and all that it depends on is kept; so the
task to begin again from takes along whatever waits for it. A foreach that did not end well keeps those of its items
that did. What runs again and has not changed keeps the calls that it has made, so that none is made twice; those that
were cut off are made again only where somebody has decided that the task is to rerun.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core import graph
from gleitzeit.core.decisions import Decision, decisions_on
from gleitzeit.core.diagnostics import did_you_mean, listed
from gleitzeit.core.errors import ConflictError, ValidationError
from gleitzeit.core.keys import is_call, is_item, maker_of, task_of
from gleitzeit.core.models import Workflow
from gleitzeit.core.plan import Row
from gleitzeit.core.task_changes import TaskChanges

_WELL = ("completed", "skipped")


@dataclass(frozen=True, slots=True)
class Past:
    """A run as it was left: its rows by key (`id`, `id[3]`, `id/2`), and whether the whole of it is completed."""

    workflow: Workflow
    inputs: Mapping[str, Any]
    rows: Mapping[str, Row]
    completed: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """How it is to go on: with which document and inputs, again from which task, and what became of unknown tasks."""

    workflow: Workflow
    inputs: Mapping[str, Any]
    from_task: str | None = None
    unknown: Mapping[str, Decision] = field(default_factory=dict[str, "Decision"])


@dataclass(frozen=True, slots=True)
class Kept:
    """The keys of rows that stay: as they are (`rows`), as a foreach that goes on (`reopened`), or as was decided.

    `repeated` are calls that were cut off, and are to be made again.
    """

    rows: tuple[str, ...]
    reopened: tuple[str, ...] = ()
    decided: Mapping[str, Decision] = field(default_factory=dict[str, "Decision"])
    repeated: tuple[str, ...] = ()


def what_is_kept(past: Past, wish: Wish) -> Kept:
    """The rows that the resumed run begins with; all other tasks run.

    Raises `ValidationError` for a task that there is not, and `ConflictError` where tasks whose end is unknown are not
    all decided, and where nothing is left to do.
    """
    families = _families(past.rows)
    _check_from_task(wish)
    decisions = decisions_on(past.rows, wish.unknown, {task.id for task in wish.workflow.tasks})
    keeping = _Keeping(past, wish, families, decisions)
    for task_id in (task_id for wave in graph.waves(keeping.edges) for task_id in wave):
        keeping.consider(task_id)
    if past.completed and keeping.complete:
        raise ConflictError(
            "nothing is left to do: the run is completed, and nothing of it has changed",
            hint="name the task to begin again from as from_task, or change the workflow or its inputs",
        )
    return Kept(tuple(keeping.rows), tuple(keeping.reopened), keeping.decided, tuple(keeping.repeated))


@dataclass(slots=True)
class _Family:
    """The keys of the items of one task, and of the calls that it, or each of its items, has made."""

    items: dict[str, Row] = field(default_factory=dict[str, Row])
    calls: dict[str, list[str]] = field(default_factory=dict[str, list[str]])


class _Keeping:
    def __init__(
        self, past: Past, wish: Wish, families: Mapping[str, _Family], decisions: Mapping[str, Decision]
    ) -> None:
        self.edges = graph.edges(wish.workflow)
        self.rows: list[str] = []
        self.reopened: list[str] = []
        self.decided: dict[str, Decision] = {}
        self.repeated: list[str] = []
        self._past = past
        self._from_task = wish.from_task
        self._families = families
        self._decisions = decisions
        self._changes = TaskChanges(past.workflow, wish.workflow, past.inputs, wish.inputs)
        self._kept: set[str] = set()

    @property
    def complete(self) -> bool:
        """Whether the new run would be the old one again."""
        return self._changes.none and len(self._kept) == len(self.edges)

    def consider(self, task_id: str) -> None:
        row, family = self._past.rows.get(task_id), self._families.get(task_id, _NO_FAMILY)
        steady = (
            task_id != self._from_task
            and all(need in self._kept for need in self.edges[task_id])
            and self._changes.spared(task_id)
        )
        if self._decisions.get(task_id, "rerun") != "rerun":
            self.decided[task_id] = self._decisions[task_id]
        elif not steady:
            self._check_items(task_id, family)
        elif row is not None and row.state in _WELL and self._as_tolerant(task_id, family):
            self._kept.add(task_id)
            self.rows += [task_id, *family.items]
        elif row is not None and row.expanded is not None:
            self.reopened.append(task_id)
            for key, item in family.items.items():
                self._consider_item(key, item, family)
        else:
            self._keep_calls(task_id, family)

    def _consider_item(self, key: str, item: Row, family: _Family) -> None:
        if item.state in _WELL:
            self.rows.append(key)
        elif self._decisions.get(key, "rerun") != "rerun":
            self.decided[key] = self._decisions[key]
        else:
            self._keep_calls(key, family)

    def _keep_calls(self, key: str, family: _Family) -> None:
        for call in family.calls.get(key, ()):
            again = self._past.rows[call].state != "completed" and key in self._decisions
            (self.repeated if again else self.rows).append(call)

    def _as_tolerant(self, task_id: str, family: _Family) -> bool:
        failed = any(item.state == "failed" for item in family.items.values())
        return not failed or self._changes.as_tolerant(task_id)

    def _check_items(self, task_id: str, family: _Family) -> None:
        settled = [key for key in family.items if self._decisions.get(key, "rerun") != "rerun"]
        if settled:
            raise ConflictError(
                f'nothing can be decided for {listed(settled)}: "{task_id}" runs again from its beginning, for it or '
                "what it depends on has changed, so that its items may be others",
                hint=f"leave it as it was, or decide that {settled[0]} is to rerun",
            )


_NO_FAMILY = _Family()


def _families(rows: Mapping[str, Row]) -> dict[str, _Family]:
    families: dict[str, _Family] = {}
    for key, row in rows.items():
        if is_call(key):
            families.setdefault(task_of(key), _Family()).calls.setdefault(maker_of(key), []).append(key)
        elif is_item(key):
            families.setdefault(task_of(key), _Family()).items[key] = row
    return families


def _check_from_task(wish: Wish) -> None:
    known = [task.id for task in wish.workflow.tasks]
    if wish.from_task is not None and wish.from_task not in known:
        hint = did_you_mean(wish.from_task, known) or f"the tasks are {listed(known)}"
        raise ValidationError(f'from_task: there is no task "{wish.from_task}"', hint=hint)
