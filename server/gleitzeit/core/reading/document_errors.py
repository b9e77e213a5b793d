"""What pydantic says about a document, in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gleitzeit.core.data import PathKey, is_list, is_object, kind_of
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.durations import DURATION_KEYS
from gleitzeit.core.reading.marks import Problem

_WANTED = {
    "when": "a condition (text) or true or false",
    "foreach": "a list, or a reference to one such as ${fetch.items}",
    "dependencies": "a list of task ids",
    "calls": "a list of method names",
    "parameters": "an object",
    "tasks": "a list of tasks",
    "inputs": "an object with a schema for each input",
    "outputs": "an object of references, such as {report: ${report.response}}",
    "settings": "an object",
    "retry": "a number of attempts, or an object",
    "cache": "an object: {ttl: seconds}",
    "id": "text",
}
_EXAMPLES = {"outputs": "write outputs: {result: ${id.field}}", "cache": "write cache: {ttl: 3600}"}


def problems_of(error: ValidationError, document: Mapping[str, Any]) -> Iterator[Problem]:
    """Each error once, at a path that is in the document."""
    seen: set[tuple[PathKey, ...]] = set()
    for details in error.errors(include_url=False, include_context=True):
        path = _path(details, document)
        if path not in seen and not (details["type"] == "too_short" and details["input"]):
            seen.add(path)
            yield _problem(details, path, document)


def _path(details: ErrorDetails, document: Any) -> tuple[PathKey, ...]:
    """The location without the names of types that pydantic adds to it."""
    path: list[PathKey] = []
    current = document
    location = details["loc"]
    for position, key in enumerate(location):
        if (
            is_object(current)
            and isinstance(key, str)
            and (key in current or (details["type"] == "missing" and position + 1 == len(location)))
        ):
            path.append(key)
            current = current.get(key)
        elif is_list(current) and isinstance(key, int) and key < len(current):
            path.append(key)
            current = current[key]
        else:
            break
    return tuple(path)


def _problem(details: ErrorDetails, path: tuple[PathKey, ...], document: Any) -> Problem:
    last = path[-1] if path else ""
    value = details["input"]
    kind = details["type"]
    if kind == "missing":
        return _missing(path, document)
    if last == "id" and isinstance(value, str):
        return Problem("bad_id", f'"{value[:80]}" cannot be an id', path, _id_hint(value))
    if kind == "literal_error":
        expected = re.findall(r"'([^']*)'", str(details.get("ctx", {}).get("expected", "")))
        hint = did_you_mean(str(value), expected)
        return Problem("wrong_value", f"{last} must be one of {', '.join(expected)}, not {_shown(value)}", path, hint)
    if last == "tasks" and kind == "too_short":
        return Problem("missing_key", "there is no task", path, "write tasks: with at least one task")
    if last in DURATION_KEYS and isinstance(value, str):
        return Problem("wrong_value", f'"{value[:40]}" is no duration', path, "write seconds, or 30s, 5m, 1h30m")
    return _wrong(details, path, last, value)


def _wrong(details: ErrorDetails, path: tuple[PathKey, ...], last: PathKey, value: Any) -> Problem:
    kind, context = details["type"], details.get("ctx", {})
    bounds = {
        "greater_than": f"must be more than {context.get('gt')}",
        "greater_than_equal": f"must be at least {context.get('ge')}",
        "less_than_equal": f"must be at most {context.get('le')}",
        "string_too_long": f"must have at most {context.get('max_length')} characters",
        "string_too_short": "must not be empty",
    }
    subject = f"[{last}]" if isinstance(last, int) else last or "the document"
    if kind in bounds:
        return Problem("wrong_value", f"{subject} {bounds[kind]}", path)
    wanted = _WANTED.get(str(last)) or _kind_wanted(kind)
    hint = _EXAMPLES.get(str(last)) or _type_hint(kind, value)
    return Problem("wrong_type", f"{subject} must be {wanted}, not {_shown(value)}", path, hint)


def _kind_wanted(kind: str) -> str:
    for beginning, words in (
        ("string", "text"),
        ("int", "a whole number"),
        ("float", "a number"),
        ("bool", "true or false"),
        ("tuple", "a list"),
        ("list", "a list"),
    ):
        if kind.startswith(beginning):
            return words
    return "an object" if kind.startswith(("dict", "dataclass")) else "something else"


def _type_hint(kind: str, value: Any) -> str | None:
    if kind.startswith("string") and isinstance(value, (int, float, bool)):
        return f'write "{str(value).lower() if isinstance(value, bool) else value}" in quotes'
    return None


def _missing(path: tuple[PathKey, ...], document: Any) -> Problem:
    key = path[-1] if path else "tasks"
    around: Any = document
    for step in path[:-1]:
        around = around[step]
    hints = {
        "tasks": "write tasks: with a list of tasks, each with id and method",
        "method": "write what the task calls, as in method: llm/chat",
        "ttl": "write cache: {ttl: 3600}",
    }
    hint = hints.get(str(key))
    if key == "id" and is_object(around):
        hint = f"write id: {_suggested(str(around.get('name') or around.get('method') or 'task'))}"
    subject = "a task" if len(path) == 3 and path[0] == "tasks" else "the workflow" if len(path) == 1 else str(path[-2])
    return Problem("missing_key", f"{subject} has no {key}", path, hint)


def _id_hint(value: str) -> str:
    return f"letters, digits, _ and -, beginning with a letter, at most 64: {_suggested(value)}"


def _suggested(text: str) -> str:
    word = re.sub(r"[^A-Za-z0-9_-]+", "_", text).strip("_-").lower()[:64]
    return word if re.match(r"[A-Za-z_]", word) else f"task_{word}"[:64].rstrip("_")


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value[:40]}"'
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else kind_of(value)
