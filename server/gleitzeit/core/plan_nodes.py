"""What a plan keeps of each task: where it stands, whom it waits for, and the items of a foreach."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import Task

NodeState = Literal["pending", "ready", "active", "waiting", "unknown", "settled"]


class Items:
    """The items of one foreach: which are due, which are begun, and how it went."""

    __slots__ = ("_done", "_next", "begun", "count", "failed", "limit", "queued", "running", "unknown")

    def __init__(self, count: int, limit: int | None, done: Iterable[int] = (), begun: Iterable[int] = ()) -> None:
        self.count = count
        self.limit = count if limit is None else limit
        self.begun = deque(begun)
        self.running: dict[int, Literal["active", "waiting", "ready"]] = {}
        self.failed = False
        self.unknown = False
        self.queued = False
        self._done = frozenset(done) | frozenset(self.begun)
        self._next = 0
        self._pass_done()

    def upcoming(self) -> int | None:
        """The item to start next; none where all are begun, or one failed and no more shall start."""
        if self.begun:
            return self.begun[0]
        return None if self.failed or self._next >= self.count else self._next

    def take(self) -> int:
        """Begin the upcoming item."""
        if self.begun:
            index = self.begun.popleft()
        else:
            index = self._next
            self._next += 1
            self._pass_done()
        self.running[index] = "active"
        return index

    def _pass_done(self) -> None:
        while self._next in self._done:
            self._next += 1


class Node:
    """One task of a plan."""

    __slots__ = (
        "blocker",
        "dependents",
        "foreach",
        "id",
        "items",
        "joining",
        "needs_success",
        "parallel",
        "position",
        "remaining",
        "state",
        "tolerant",
    )

    def __init__(self, task: Task, position: int, lenient: bool) -> None:
        self.id = task.id
        self.position = position
        self.foreach = task.foreach is not None
        self.parallel = task.max_parallel
        self.needs_success = task.trigger_rule == "all_success"
        self.tolerant = lenient or task.on_error == "continue"
        self.state: NodeState = "pending"
        self.remaining = 0
        self.dependents: list[Node] = []
        self.blocker: Node | None = None
        self.items: Items | None = None
        self.joining = False

    def release(self, bad: bool) -> list[Node]:
        """Become settled; the dependents that waited for nothing else."""
        self.state = "settled"
        free: list[Node] = []
        for dependent in self.dependents:
            if bad and (dependent.blocker is None or self.position < dependent.blocker.position):
                dependent.blocker = self
            dependent.remaining -= 1
            if dependent.remaining == 0:
                free.append(dependent)
        return free


def connect(nodes: Mapping[str, Node], edges: Mapping[str, Sequence[str]]) -> list[Node]:
    """Link nodes with those that wait for them; the nodes in an order in which none stands before its dependency.

    Raises `DocumentError` where dependencies form a circle.
    """
    for node in nodes.values():
        needs = set(edges[node.id])
        node.remaining = len(needs)
        for name in needs:
            nodes[name].dependents.append(node)
    waiting = {node.id: node.remaining for node in nodes.values()}
    order = [node for node in nodes.values() if node.remaining == 0]
    for node in order:
        for dependent in node.dependents:
            waiting[dependent.id] -= 1
            if waiting[dependent.id] == 0:
                order.append(dependent)
    if len(order) < len(nodes):
        stuck = ", ".join(name for name, count in waiting.items() if count)
        raise DocumentError([Diagnostic("cycle", f"these tasks wait for each other: {stuck}")])
    return order
