"""THE decisions: what starts, what is skipped, when a run is over. No clock and no I/O: every engine runs on it.

A `Plan` is opened on a document and the rows of its tasks; `start()` and then `after(outcome)` answer with the actions
to carry out now. The same rows give the same plan, and each edge is looked at once.

- A task waits until all of its dependencies are settled. If one of them is bad, it is skipped and bad itself, unless it
  has `trigger_rule: all_done`. Bad are: failed without `on_error: continue`, cancelled, and skipped for a bad one.
- A task skipped by its own `when` is good. Independent branches always run to their end;
  `settings.continue_on_error` means `on_error: continue` on every task.
- A foreach holds no slot, its items do. Once an item has failed for good no further item starts; those begun end.
- Among the ready, tasks go in document order; items of a foreach rank by their index, so none starves behind another.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from typing import Protocol

from gleitzeit.core import graph
from gleitzeit.core.keys import index_of, is_item, item_key, task_of
from gleitzeit.core.models import OVER, TaskState, Workflow
from gleitzeit.core.plan_actions import (
    Action,
    Continue,
    FinalState,
    Finish,
    Join,
    JoinState,
    Outcome,
    Rest,
    Skip,
    Start,
)
from gleitzeit.core.plan_nodes import Items, Node, connect

ENDED: frozenset[str] = OVER | {"unknown"}
"""States of a task, or of an item, with which nothing more happens in its run: over, or left to somebody's decision."""


class Row(Protocol):
    """What a plan reads of a stored task."""

    @property
    def state(self) -> TaskState:
        """Where the task stands."""
        ...

    @property
    def expanded(self) -> int | None:
        """The number of items of a foreach, once known."""
        ...


class Plan:
    """The decisions of one run. Raises `DocumentError` on opening where dependencies form a circle."""

    def __init__(self, workflow: Workflow) -> None:
        self._limit = workflow.settings.max_parallel_tasks
        lenient = workflow.settings.continue_on_error
        self._nodes = {task.id: Node(task, position, lenient) for position, task in enumerate(workflow.tasks)}
        self._order = connect(self._nodes, graph.edges(workflow))
        self._unsettled = len(self._nodes)
        self._ready: list[tuple[int, int, int, Node]] = []
        self._slots = 0
        self._active = 0
        self._failed: list[Node] = []
        self._cancelled = False
        self._actions: list[Action] = []

    @classmethod
    def open(cls, workflow: Workflow, rows: Mapping[str, Row]) -> Plan:
        """The plan as it stands after `rows`; what they call running or ready is started again."""
        plan = cls(workflow)
        if rows:
            items = _items_of(rows)
            for node in plan._order:
                row = rows.get(node.id)
                if row is not None:
                    plan._restore(node, row, items.get(node.id, {}))
        return plan

    @property
    def sinks(self) -> list[str]:
        """The tasks that nobody waits for, in the order of the document."""
        return [node.id for node in self._nodes.values() if not node.dependents]

    def start(self) -> list[Action]:
        """What to do first; called once, before any outcome."""
        for node in [node for node in self._nodes.values() if node.state == "pending" and node.remaining == 0]:
            if self._consider(node):
                self._settle(node, bad=True)
        for node in self._nodes.values():
            if node.state == "active" and node.items is not None:
                self._tend(node, node.items)
        return self._advance()

    def after(self, outcome: Outcome) -> list[Action]:
        """What to do now that `outcome` is known. Raises ValueError for a key from which none is due."""
        key = outcome.key
        if not is_item(key):
            self._after_task(self._nodes[key], outcome)
            return self._advance()
        node = self._nodes[task_of(key)]
        if node.items is None:
            raise ValueError(f"{node.id} has no items")
        self._after_item(node, node.items, index_of(key), outcome)
        return self._advance()

    def _after_task(self, node: Node, outcome: Outcome) -> None:
        due = "waiting" if outcome.kind == "resumed" else "active"
        if node.state != due or (node.items is not None and not node.joining):
            raise ValueError(f"no outcome {outcome.kind} is due from {outcome.key}")
        if outcome.kind == "resumed":
            node.state = "ready"
            heapq.heappush(self._ready, (-1, node.position, -1, node))
            return
        self._active -= 1
        self._slots -= 0 if node.foreach else 1
        if outcome.kind == "expanded":
            node.items = Items(outcome.count, node.parallel)
            self._tend(node, node.items)
        elif outcome.kind in ("waiting", "unknown"):
            node.state = "waiting" if outcome.kind == "waiting" else "unknown"
        else:
            self._settle(node, bad=self._is_bad(node, outcome.kind))

    def _after_item(self, node: Node, items: Items, index: int, outcome: Outcome) -> None:
        if items.running.get(index) != ("waiting" if outcome.kind == "resumed" else "active"):
            raise ValueError(f"no outcome {outcome.kind} is due from {outcome.key}")
        if outcome.kind == "resumed":
            items.running[index] = "ready"
            heapq.heappush(self._ready, (-1, node.position, index, node))
            return
        self._active -= 1
        self._slots -= 1
        if outcome.kind == "waiting":
            items.running[index] = "waiting"
            return
        del items.running[index]
        self._count_item(node, items, outcome.kind)
        self._tend(node, items)

    def _count_item(self, node: Node, items: Items, kind: str) -> None:
        items.unknown = items.unknown or kind == "unknown"
        if kind in ("failed", "cancelled"):
            items.failed = items.failed or not node.tolerant
            self._cancelled = self._cancelled or kind == "cancelled"

    def _is_bad(self, node: Node, kind: str) -> bool:
        if kind == "failed" and not node.tolerant:
            self._failed.append(node)
            return True
        self._cancelled = self._cancelled or kind == "cancelled"
        return kind == "cancelled"

    def _settle(self, node: Node, *, bad: bool) -> None:
        settled = deque([(node, bad)])
        while settled:
            node, bad = settled.popleft()
            self._unsettled -= 1
            settled.extend((dependent, True) for dependent in node.release(bad) if self._consider(dependent))

    def _consider(self, node: Node) -> bool:
        """Make a node whose dependencies are settled ready; True where it is skipped instead."""
        if node.state != "pending":
            return False
        if node.needs_success and node.blocker is not None:
            self._actions.append(Skip(node.id, node.blocker.id))
            return True
        if node.foreach:
            node.state = "active"
            self._active += 1
            self._actions.append(Start(node.id, node.id))
        else:
            node.state = "ready"
            heapq.heappush(self._ready, (0, node.position, -1, node))
        return False

    def _tend(self, node: Node, items: Items) -> None:
        """Queue the next item of a foreach, or join it where all are over."""
        upcoming = items.upcoming()
        if upcoming is not None:
            if not items.queued and len(items.running) < items.limit:
                items.queued = True
                heapq.heappush(self._ready, (upcoming, node.position, upcoming, node))
        elif not items.running and not node.joining:
            node.joining = True
            self._active += 1
            state: JoinState = "failed" if items.failed else "unknown" if items.unknown else "completed"
            self._actions.append(Join(node.id, state))

    def _advance(self) -> list[Action]:
        while self._ready and self._slots < self._limit:
            rank, _, index, node = heapq.heappop(self._ready)
            if node.items is None:
                node.state = "active"
                self._take(Start(node.id, node.id) if rank == 0 else Continue(node.id))
            elif rank < 0:
                node.items.running[index] = "active"
                self._take(Continue(item_key(node.id, index)))
            else:
                self._start_item(node, node.items)
        if self._active == 0:
            self._conclude()
        actions, self._actions = self._actions, []
        return actions

    def _start_item(self, node: Node, items: Items) -> None:
        items.queued = False
        if items.upcoming() is not None:  # none where an item has failed since this one was queued
            index = items.take()
            self._take(Start(item_key(node.id, index), node.id, index))
            self._tend(node, items)

    def _take(self, action: Start | Continue) -> None:
        self._slots += 1
        self._active += 1
        self._actions.append(action)

    def _conclude(self) -> None:
        if self._unsettled:
            self._actions.append(Rest())
            return
        failed = tuple(node.id for node in sorted(self._failed, key=lambda node: node.position))
        state: FinalState = "cancelled" if self._cancelled else "failed" if failed else "completed"
        self._actions.append(Finish(state, failed))

    def _restore(self, node: Node, row: Row, items: Mapping[int, Row]) -> None:
        match row.state:
            case "completed" | "failed" | "cancelled" | "skipped":
                skipped_for_another = row.state == "skipped" and node.needs_success and node.blocker is not None
                self._unsettled -= 1
                node.release(self._is_bad(node, row.state) or skipped_for_another)
            case "waiting" | "unknown" if row.expanded is None:
                node.state = row.state
            case "unknown":
                node.state = "unknown"
            case _ if row.expanded is not None:
                node.state = "active"
                node.items = self._restored_items(node, row.expanded, items)
            case _:
                return

    def _restored_items(self, node: Node, count: int, rows: Mapping[int, Row]) -> Items:
        done = [index for index, row in rows.items() if row.state in ENDED or row.state == "waiting"]
        begun = sorted(index for index, row in rows.items() if row.state in ("running", "ready"))
        items = Items(count, node.parallel, done, begun)
        for index, row in rows.items():
            if row.state == "waiting":
                items.running[index] = "waiting"
            else:
                self._count_item(node, items, row.state)
        return items


def _items_of(rows: Mapping[str, Row]) -> dict[str, dict[int, Row]]:
    items: dict[str, dict[int, Row]] = {}
    for key, row in rows.items():
        if is_item(key):
            items.setdefault(task_of(key), {})[index_of(key)] = row
    return items
