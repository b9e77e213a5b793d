"""Which task waits for which: edges, cycles, waves, and a drawing."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.references import Reference, compile_condition, compile_reference, opaque_parameters, slots_of
from gleitzeit.core.slots import Slot, split

Edges = Mapping[str, Sequence[str]]

_ENTITIES = {"&": "&amp;", '"': "&quot;", "<": "&lt;", ">": "&gt;", **{sign: f"#{ord(sign)};" for sign in "#`%$"}}
"""How a label of Mermaid writes what begins something else in it: an entity, Markdown, a directive, a formula."""


def edges(workflow: Workflow) -> dict[str, tuple[str, ...]]:
    """What each task waits for, by id: its `dependencies`, named by id or by name, and what it refers to.

    What does not exist is left out; `check` tells about it.
    """
    ids = identify(workflow)
    return {task.id: tuple(dict.fromkeys(_needs(task, ids))) for task in workflow.tasks}


def identify(workflow: Workflow) -> dict[str, str]:
    """The id of each task, by its id and by its name where no other task has that."""
    names: dict[str, str] = {}
    doubled: set[str] = set()
    for task in workflow.tasks:
        if task.name is not None and task.name in names:
            doubled.add(task.name)
        elif task.name is not None:
            names[task.name] = task.id
    for name in doubled:
        del names[name]
    names.update((task.id, task.id) for task in workflow.tasks)
    return names


def references_of(task: Task) -> Iterator[Reference]:
    """The references of a task that are well-formed."""
    if task.parameters:
        opaque = opaque_parameters(task.method, task.parameters)
        yield from references_in({key: value for key, value in task.parameters.items() if key not in opaque})
    if task.foreach is not None:
        yield from references_in(task.foreach)
    if isinstance(task.when, str):
        try:
            yield from compile_condition(task.when).references
        except DocumentError:
            return


def references_in(value: Any) -> Iterator[Reference]:
    """The references in a value that are well-formed."""
    if not _may_refer(value):
        return
    for _, text in slots_of(value):
        try:
            parts = split(text)
        except DocumentError:
            continue
        for part in parts:
            if isinstance(part, Slot):
                try:
                    yield compile_reference(part.source)
                except DocumentError:
                    continue


def _may_refer(value: Any) -> bool:
    """Whether it may have references: most values have none, and to look through them takes many calls."""
    try:
        return b"${" in to_json(value)
    except ValueError:  # it is more than plain data
        return True


def _needs(task: Task, ids: Mapping[str, str]) -> Iterator[str]:
    for name in task.dependencies:
        if name in ids:
            yield ids[name]
    for reference in references_of(task):
        for root in sorted(reference.roots):
            if ids.get(root) == root:
                yield root


def dependents(edges: Edges) -> dict[str, tuple[str, ...]]:
    """What waits for each task: the edges the other way round."""
    found: dict[str, list[str]] = {task: [] for task in edges}
    for task, needs in edges.items():
        for need in needs:
            found[need].append(task)
    return {task: tuple(waiting) for task, waiting in found.items()}


def sinks(edges: Edges) -> list[str]:
    """The tasks that nobody waits for, in the order of the document."""
    return [task for task, waiting in dependents(edges).items() if not waiting]


def waves(edges: Edges) -> list[list[str]]:
    """The tasks in the order they can run: each wave needs only those before it. Those on a cycle are left out."""
    missing = {task: len(needs) for task, needs in edges.items()}
    followers = dependents(edges)
    wave = [task for task, count in missing.items() if count == 0]
    found: list[list[str]] = []
    while wave:
        found.append(wave)
        following: list[str] = []
        for task in wave:
            for follower in followers[task]:
                missing[follower] -= 1
                if missing[follower] == 0:
                    following.append(follower)
        wave = following
    return found


def cycle(edges: Edges) -> list[str] | None:
    """A cycle as a path that ends where it begins (`a b c a`, each waiting for the one before), or nothing."""
    done = {task for wave in waves(edges) for task in wave}
    rest = {task: [need for need in needs if need not in done] for task, needs in edges.items() if task not in done}
    if not rest:
        return None
    path: list[str] = []
    seen: dict[str, int] = {}
    task = next(iter(rest))
    while task not in seen:
        seen[task] = len(path)
        path.append(task)
        task = rest[task][0]
    return _shortened([*path[seen[task] :], task][::-1], rest)


def _shortened(path: list[str], edges: Edges) -> list[str]:
    """The shortest cycle through the first task of `path`, so that the message names no more than it must."""
    start = path[0]
    before: dict[str, str] = {}
    waiting = deque([start])
    while waiting:
        task = waiting.popleft()
        for need in edges[task]:
            if need == start:
                return _chain(start, task, before)
            if need not in before:
                before[need] = task
                waiting.append(need)
    return path


def _chain(start: str, last: str, before: Mapping[str, str]) -> list[str]:
    chain = [start, last]
    while chain[-1] != start:
        chain.append(before[chain[-1]])
    return chain


def mermaid(workflow: Workflow) -> str:
    """The workflow as a Mermaid flowchart."""
    numbers = {task.id: f"t{number}" for number, task in enumerate(workflow.tasks)}
    lines = ["flowchart TD"]
    for task in workflow.tasks:
        opening, closing = ("[[", "]]") if task.foreach is not None else ("[", "]")
        lines.append(f'  {numbers[task.id]}{opening}"{_label(task)}"{closing}')
    conditional = {task.id for task in workflow.tasks if task.when is not None}
    for task_id, needs in edges(workflow).items():
        arrow = "-.->" if task_id in conditional else "-->"
        lines.extend(f"  {numbers[need]} {arrow} {numbers[task_id]}" for need in needs)
    return "\n".join(lines) + "\n"


def _label(task: Task) -> str:
    return f"{_escaped(task.name or task.id)}<br/>{_escaped(task.method)}"


def _escaped(text: str) -> str:
    """Foreign text as a label shows it: it neither ends the label nor begins anything in it, nor turns it round."""
    shown = "".join(character if character.isprintable() else " " for character in text)
    return "".join(_ENTITIES.get(character, character) for character in shown)
