"""`${tasks.x.y}`, `${steps.x.y}` and `${input.x}` as `${x.y}` and `${inputs.x}`, where there is such a thing."""

from __future__ import annotations

import re
from typing import Any

from gleitzeit.core.data import is_list, is_object, is_sequence
from gleitzeit.core.nesting import RUN_WORKFLOW

_OTHER = re.compile(
    r"(?<!\$)\$\{\s*(tasks|steps|input)\.([A-Za-z_][A-Za-z0-9_-]*)((?:\.[A-Za-z_]\w*|\[\d+\]|\[\"[^\"\\]*\"\])*)\s*\}"
)
_FILLED = frozenset({"parameters", "foreach", "when"})


def respell_references(document: dict[str, Any]) -> dict[str, Any]:
    """The document with its plain references in the words of the language."""
    inputs = document.get("inputs")
    names = (_ids(document.get("tasks")), frozenset(inputs) if is_object(inputs) else frozenset[str]())
    found = dict(document)
    if is_list(document.get("tasks")):
        found["tasks"] = [_task(task, names) for task in document["tasks"]]
    if "outputs" in found:
        found["outputs"] = _respelled(found["outputs"], names)
    return found


_Names = tuple[frozenset[str], frozenset[str]]


def _ids(tasks: Any) -> frozenset[str]:
    if not is_list(tasks):
        return frozenset()
    return frozenset(task["id"] for task in tasks if is_object(task) and isinstance(task.get("id"), str))


def _task(task: Any, names: _Names) -> Any:
    if not is_object(task):
        return task
    found = {**task, **{key: _respelled(task[key], names) for key in _FILLED & task.keys()}}
    given = task.get("parameters")
    if task.get("method") == RUN_WORKFLOW and is_object(given) and "workflow" in given:
        found["parameters"]["workflow"] = given["workflow"]  # its references are its own
    return found


def _respelled(value: Any, names: _Names) -> Any:
    if isinstance(value, str):
        return _text(value, names) if "${" in value else value
    if is_object(value):
        return {key: _respelled(item, names) for key, item in value.items()}
    if is_sequence(value):
        return [_respelled(item, names) for item in value]
    return value


def _text(text: str, names: _Names) -> str:
    ids, inputs = names

    def plain(match: re.Match[str]) -> str:
        head, name, rest = match.groups()
        if head == "input":
            return f"${{inputs.{name}{rest}}}" if name in inputs else match.group()
        return f"${{{name}{rest}}}" if name in ids else match.group()

    return _OTHER.sub(plain, text)
