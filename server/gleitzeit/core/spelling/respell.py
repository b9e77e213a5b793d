"""Reads a document in other words as the same document in the words of the language."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.data import is_list, is_object, kind_of
from gleitzeit.core.diagnostics import nearest
from gleitzeit.core.durations import seconds
from gleitzeit.core.reading.marks import Mark, PathKey, Problem
from gleitzeit.core.spelling.inputs import respell_inputs
from gleitzeit.core.spelling.references import respell_references
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
_DURATIONS = frozenset({"timeout", "default_timeout", "delay", "max_delay", "ttl"})


@dataclass(slots=True)
class Node:
    """An object of the document and the marks of what is in it."""

    data: dict[str, Any]
    mark: Mark | None
    path: tuple[PathKey, ...] = ()
    written: dict[str, str] = field(default_factory=dict[str, str])

    def mark_of(self, key: PathKey) -> Mark | None:
        """The mark of one field."""
        return self.mark.fields.get(key) if self.mark is not None else None


def respell(data: dict[str, Any], mark: Mark | None, problems: list[Problem]) -> tuple[dict[str, Any], Mark | None]:
    """The document in the words of the language, with its marks; what cannot be read so is added to `problems`."""
    data, mark = _unwrapped(data, mark)
    document = _keys(data, mark, (), "document", problems)
    if "tasks" in document.data:
        _set(document, "tasks", *_tasks(document, problems))
    if "inputs" in document.data:
        _set(document, "inputs", *respell_inputs(document.data["inputs"], document.mark_of("inputs"), problems))
    if is_object(document.data.get("settings")):
        inner = _keys(document.data["settings"], document.mark_of("settings"), ("settings",), "settings", problems)
        _set(document, "settings", inner.data, inner.mark)
    return respell_references(document.data), document.mark


def _unwrapped(data: dict[str, Any], mark: Mark | None) -> tuple[dict[str, Any], Mark | None]:
    """Models like to put the whole document under one key."""
    if len(data) == 1:
        (key, inner), *_ = data.items()
        if key in ("workflow", "dag", "pipeline") and is_object(inner) and {"tasks", "steps"} & inner.keys():
            return inner, mark.fields.get(key) if mark is not None else None
    return data, mark


def _set(node: Node, key: PathKey, value: Any, mark: Mark | None) -> None:
    node.data[str(key)] = value
    if node.mark is not None and mark is not None:
        old = node.mark.fields.get(key)
        node.mark.fields[key] = mark.keyed(old.key_line, old.key_column) if old is not None else mark


def _keys(
    data: dict[str, Any], mark: Mark | None, path: tuple[PathKey, ...], place: Place, problems: list[Problem]
) -> Node:
    node = Node({}, _around(mark), path)
    for written, value in data.items():
        inner = mark.fields.get(written) if mark is not None else None
        _take(node, place, written, value, inner, problems)
    return node


def _take(node: Node, place: Place, written: str, value: Any, mark: Mark | None, problems: list[Problem]) -> None:
    """One key of an object, under its right name and with its value in the right form."""
    word = snake(written)
    if written in KNOWN[place] or word in KNOWN[place]:
        key = written if written in KNOWN[place] else word
    elif word in KEYS[place]:
        key = KEYS[place][word]
    elif _special(node, place, word, written, value, mark, problems):
        return
    elif word in MOVED.get(place, {}):
        section, inner = MOVED[place][word]
        _move(node, section, inner, written, value, mark, problems)
        return
    else:
        problems.append(_unknown(place, written, (*node.path, written)))
        if node.mark is not None and mark is not None:
            node.mark.fields[written] = mark
        return
    _store(node, key, written, _valued(key, value, place), mark, problems)


def _store(node: Node, key: str, written: str, value: Any, mark: Mark | None, problems: list[Problem]) -> None:
    if key in node.data:
        first = node.written.get(key, key)
        problems.append(
            Problem(
                "duplicate_key",
                f'"{written}" and "{first}" say the same',
                (*node.path, key),
                f'keep one, best "{key}"',
                key=True,
            )
        )
        return
    if key == "retry":
        value, mark = _retry(value, mark, (*node.path, "retry"), problems)
    elif key == "cache" and is_object(value):
        inner = _keys(value, mark, (*node.path, "cache"), "cache", problems)
        value, mark = inner.data, inner.mark and mark and inner.mark.keyed(mark.key_line, mark.key_column)
    node.data[key] = value
    node.written[key] = written
    if node.mark is not None and mark is not None:
        node.mark.fields[key] = mark


def _special(
    node: Node, place: Place, word: str, written: str, value: Any, mark: Mark | None, problems: list[Problem]
) -> bool:
    """Keys that say the same in another way; whether this was one."""
    if place == "task" and word in CONTINUES and isinstance(value, bool):
        _store(node, "on_error", written, "continue" if value else "fail", mark, problems)
    elif place in ("task", "retry") and word in RETRIES and isinstance(value, int) and not isinstance(value, bool):
        if place == "retry":
            _store(node, "max_attempts", written, value + 1, mark, problems)
        else:
            _move(node, "retry", "max_attempts", written, value + 1, mark, problems)
    elif place == "retry" and word == "backoff" and _backoff(node, written, value, mark, problems):
        return True
    elif place == "task" and word in MINUTES | MILLISECONDS and isinstance(value, (int, float)):
        factor = 60 if word in MINUTES else 0.001
        _store(node, "timeout", written, value * factor, mark, problems)
    else:
        return False
    return True


def _backoff(node: Node, written: str, value: Any, mark: Mark | None, problems: list[Problem]) -> bool:
    if isinstance(value, bool) or value in ("exponential", "fixed", "linear", "constant", "none"):
        _store(node, "exponential_backoff", written, value in (True, "exponential"), mark, problems)
    elif isinstance(value, (int, float)) or (isinstance(value, str) and seconds(value) is not None):
        _store(node, "delay", written, _valued("delay", value, "retry"), mark, problems)
    else:
        return False
    return True


def _move(
    node: Node, section: str, key: str, written: str, value: Any, mark: Mark | None, problems: list[Problem]
) -> None:
    """Put a key into the section it belongs to."""
    inner = node.data.setdefault(section, {})
    if not is_object(inner) or key in inner or section in node.written:
        problems.append(
            Problem(
                "duplicate_key",
                f'"{written}" stands beside "{section}"',
                (*node.path, section),
                f"put {key} inside {section}",
                key=True,
            )
        )
        return
    inner[key] = _valued(key, value, "retry")
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
        node = _keys(value, mark, path, "retry", problems)
        return node.data, node.mark
    return value, mark


def _valued(key: str, value: Any, place: Place) -> Any:
    """A value in the form that its key has."""
    if key in _DURATIONS and isinstance(value, str):
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


def _tasks(document: Node, problems: list[Problem]) -> tuple[Any, Mark | None]:
    tasks, mark = document.data["tasks"], document.mark_of("tasks")
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
        node = _keys(written, mark, ("tasks", index), "task", problems)
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
