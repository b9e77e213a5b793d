"""Reads a document in other words as the same document in the words of the language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_object, kind_of
from gleitzeit.core.diagnostics import nearest
from gleitzeit.core.durations import DURATION_KEYS, seconds
from gleitzeit.core.reading.marks import Mark, Problem
from gleitzeit.core.spelling.declarations import respell_inputs
from gleitzeit.core.spelling.prefixes import respell_references
from gleitzeit.core.spelling.spellings import (
    CONTINUES,
    HINTS,
    KEYS,
    KNOWN,
    MILLISECONDS,
    MINUTES,
    MOVED,
    RETRIES,
    VALUES,
    Place,
)

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Entry:
    """A key as it is written, its value, and the marks of that."""

    written: str
    value: Any
    mark: Mark | None

    @property
    def word(self) -> str:
        """The key as it would be written here."""
        return snake(self.written)


@dataclass(slots=True)
class Node:
    """An object of the document in the words of the language, and the marks of what is in it."""

    place: Place
    path: tuple[PathKey, ...]
    mark: Mark | None
    problems: list[Problem]
    data: dict[str, Any] = field(default_factory=dict[str, Any])
    written: dict[str, str] = field(default_factory=dict[str, str])

    def mark_of(self, key: PathKey) -> Mark | None:
        """The mark of one field."""
        return self.mark.fields.get(key) if self.mark is not None else None

    def put(self, key: str, value: Any, mark: Mark | None) -> None:
        """Give a field its value, and its marks the place of its key."""
        self.data[key] = value
        if self.mark is not None and mark is not None:
            old = self.mark.fields.get(key)
            self.mark.fields[key] = mark.keyed(old.key_line, old.key_column) if old is not None else mark


def respell(data: dict[str, Any], mark: Mark | None, problems: list[Problem]) -> tuple[dict[str, Any], Mark | None]:
    """The document in the words of the language, with its marks; what cannot be read so is added to `problems`."""
    data, mark = _unwrapped(data, mark)
    document = _node("document", (), data, mark, problems)
    if "tasks" in document.data:
        document.put("tasks", *_tasks(document))
    if "inputs" in document.data:
        document.put("inputs", *respell_inputs(document.data["inputs"], document.mark_of("inputs"), problems))
    if is_object(document.data.get("settings")):
        settings = document.data["settings"], document.mark_of("settings")
        inner = _node("settings", ("settings",), *settings, problems)
        document.put("settings", inner.data, inner.mark)
    return respell_references(document.data), document.mark


def _unwrapped(data: dict[str, Any], mark: Mark | None) -> tuple[dict[str, Any], Mark | None]:
    """Models like to put the whole document under one key."""
    if len(data) == 1:
        (key, inner), *_ = data.items()
        if key in ("workflow", "dag", "pipeline") and is_object(inner) and {"tasks", "steps"} & inner.keys():
            return inner, mark.fields.get(key) if mark is not None else None
    return data, mark


def _node(
    place: Place, path: tuple[PathKey, ...], data: dict[str, Any], mark: Mark | None, problems: list[Problem]
) -> Node:
    node = Node(place, path, _around(mark), problems)
    for written, value in data.items():
        _take(node, Entry(written, value, mark.fields.get(written) if mark is not None else None))
    return node


def _take(node: Node, entry: Entry) -> None:
    """One key of an object, under its right name and with its value in the right form."""
    word, known = entry.word, KNOWN[node.place]
    if entry.written in known or word in known:
        _store(node, entry.written if entry.written in known else word, entry)
    elif word in KEYS[node.place]:
        _store(node, KEYS[node.place][word], entry)
    elif _special(node, entry):
        return
    elif word in MOVED.get(node.place, {}):
        _move(node, *MOVED[node.place][word], entry)
    else:
        node.problems.append(_unknown(node.place, entry.written, (*node.path, entry.written)))
        if node.mark is not None and entry.mark is not None:
            node.mark.fields[entry.written] = entry.mark


def _store(node: Node, key: str, entry: Entry) -> None:
    if key in node.data:
        message = f'"{entry.written}" and "{node.written.get(key, key)}" say the same'
        hint = f'keep one, best "{key}"'
        node.problems.append(Problem("duplicate_key", message, (*node.path, key), hint, key=True))
        return
    value, mark = _valued(key, entry.value, node.place), entry.mark
    if key == "retry":
        value, mark = _retry(value, mark, (*node.path, "retry"), node.problems)
    elif key == "cache" and is_object(value):
        inner = _node("cache", (*node.path, "cache"), value, mark, node.problems)
        value, mark = inner.data, inner.mark
    node.data[key] = value
    node.written[key] = entry.written
    if node.mark is not None and mark is not None:
        node.mark.fields[key] = mark


def _special(node: Node, entry: Entry) -> bool:
    """Keys that say the same in another way; whether this was one."""
    word, value = entry.word, entry.value
    if node.place == "task" and word in CONTINUES and isinstance(value, bool):
        _store(node, "on_error", replace(entry, value="continue" if value else "fail"))
    elif word in RETRIES and isinstance(value, int) and not isinstance(value, bool) and node.place == "retry":
        _store(node, "max_attempts", replace(entry, value=value + 1))
    elif word in RETRIES and isinstance(value, int) and not isinstance(value, bool) and node.place == "task":
        _move(node, "retry", "max_attempts", replace(entry, value=value + 1))
    elif node.place == "retry" and word == "backoff":
        return _backoff(node, entry)
    elif node.place == "task" and word in MINUTES | MILLISECONDS and isinstance(value, (int, float)):
        _store(node, "timeout", replace(entry, value=value * (60 if word in MINUTES else 0.001)))
    else:
        return False
    return True


def _backoff(node: Node, entry: Entry) -> bool:
    value = entry.value
    if isinstance(value, bool) or value in ("exponential", "fixed", "linear", "constant", "none"):
        _store(node, "exponential_backoff", replace(entry, value=value in (True, "exponential")))
    elif isinstance(value, (int, float)) or (isinstance(value, str) and seconds(value) is not None):
        _store(node, "delay", entry)
    else:
        return False
    return True


def _move(node: Node, section: str, key: str, entry: Entry) -> None:
    """Put a key into the section it belongs to."""
    inner, mark = node.data.setdefault(section, {}), entry.mark
    if not is_object(inner) or key in inner or section in node.written:
        message, hint = f'"{entry.written}" stands beside "{section}"', f"put {key} inside {section}"
        node.problems.append(Problem("duplicate_key", message, (*node.path, section), hint, key=True))
        return
    inner[key] = _valued(key, entry.value, "retry")
    if node.mark is not None and mark is not None:
        around = node.mark.fields.setdefault(section, Mark(mark.line, mark.column, mark.key_line, mark.key_column))
        around.fields[key] = mark


def _retry(
    value: Any, mark: Mark | None, path: tuple[PathKey, ...], problems: list[Problem]
) -> tuple[Any, Mark | None]:
    if isinstance(value, bool):
        return ({"max_attempts": 3} if value else {}), mark
    if isinstance(value, int):
        return {"max_attempts": value}, mark
    if is_object(value):
        node = _node("retry", path, value, mark, problems)
        return node.data, node.mark
    return value, mark


def _valued(key: str, value: Any, place: Place) -> Any:
    """A value in the form that its key has."""
    if key in DURATION_KEYS and isinstance(value, str):
        duration = seconds(value)
        return value if duration is None else duration
    if place == "task" and key in ("dependencies", "calls"):
        return [value] if isinstance(value, str) else [] if value is None else value
    if (
        place == "task"
        and key == "cache"
        and not is_object(value)
        and not isinstance(value, bool)
        and value is not None
    ):
        return {"ttl": _valued("ttl", value, "cache")}
    if place == "task" and key == "parameters" and value is None:
        return {}
    if key in VALUES and isinstance(value, str):
        return VALUES[key].get(snake(value), value)
    return value


def _tasks(document: Node) -> tuple[Any, Mark | None]:
    tasks, mark, problems = document.data["tasks"], document.mark_of("tasks"), document.problems
    if is_object(tasks):
        tasks, mark = _listed(tasks, mark, problems)
    if not is_list(tasks):
        return tasks, mark
    around = _around(mark)
    found: list[Any] = []
    for index, written in enumerate(tasks):
        task, inner = _one_task(written, mark.fields.get(index) if mark is not None else None, index, problems)
        found.append(task)
        if around is not None and inner is not None:
            around.fields[index] = inner
    return found, around


def _one_task(written: Any, mark: Mark | None, index: int, problems: list[Problem]) -> tuple[Any, Mark | None]:
    if is_object(written):
        node = _node("task", ("tasks", index), written, mark, problems)
        return node.data, node.mark
    message = f"a task is an object, not {kind_of(written)}"
    problems.append(Problem("wrong_type", message, ("tasks", index), "write id and method of each task"))
    return written, mark


def _listed(tasks: Mapping[str, Any], mark: Mark | None, problems: list[Problem]) -> tuple[list[Any], Mark | None]:
    """Tasks by id as a list."""
    found: list[Any] = []
    around = _around(mark)
    for name, written in tasks.items():
        inner = mark.fields.get(name) if mark is not None else None
        if is_object(written) and written.get("id", name) != name:
            message = f'the task "{name}" says that its id is another'
            problems.append(Problem("duplicate_key", message, ("tasks", len(found), "id"), "remove id"))
        if around is not None and inner is not None:
            around.fields[len(found)] = _with_id(inner)
        found.append({**written, "id": name} if is_object(written) else written)
    return found, around


def _with_id(mark: Mark) -> Mark:
    """The marks of a task whose id is its key."""
    fields = {**mark.fields, "id": Mark(mark.key_line, mark.key_column)}
    return Mark(mark.line, mark.column, mark.key_line, mark.key_column, fields)


def _around(mark: Mark | None) -> Mark | None:
    """A mark at the same place with nothing in it yet."""
    return Mark(mark.line, mark.column, mark.key_line, mark.key_column) if mark is not None else None


def _unknown(place: Place, written: str, path: tuple[PathKey, ...]) -> Problem:
    word = snake(written)
    hint = HINTS.get(place, {}).get(word)
    if hint is None:
        names = (*KNOWN[place], *KEYS[place], *MOVED.get(place, {}))
        match = nearest(word, names)
        known = ", ".join(KNOWN[place])
        hint = f'did you mean "{KEYS[place].get(match, match)}"?' if match else f"known are {known}"
    subject = {"document": "a workflow", "task": "a task", "cache": "cache"}.get(place, place)
    return Problem("unknown_key", f'{subject} has no key "{written}"', path, hint, key=True)


def snake(word: str) -> str:
    """A key as it would be written here: `dependsOn` and `depends-on` as `depends_on`."""
    return _CAMEL.sub("_", word.strip()).replace("-", "_").replace(" ", "_").lower()
