"""Declared inputs as people write them, as JSON Schemas by name."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_object, kind_of
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.reading.marks import Mark, Problem
from gleitzeit.core.spelling.spellings import TYPES


def respell_inputs(inputs: Any, mark: Mark | None, problems: list[Problem]) -> tuple[Any, Mark | None]:
    """Inputs by name, each a JSON Schema; a list of names, or of objects with a name, is read as well."""
    if inputs is None:
        return {}, mark
    if is_list(inputs):
        inputs, mark = _by_name(inputs, mark, problems)
    if not is_object(inputs):
        return inputs, mark
    found = {name: _schema(name, value, problems) for name, value in inputs.items()}
    return found, mark


def _by_name(inputs: list[Any], mark: Mark | None, problems: list[Problem]) -> tuple[dict[str, Any], Mark | None]:
    found: dict[str, Any] = {}
    around = Mark(mark.line, mark.column, mark.key_line, mark.key_column) if mark is not None else None
    for index, item in enumerate(inputs):
        inner = mark.fields.get(index) if mark is not None else None
        name, schema = _named(item)
        path: tuple[PathKey, ...] = ("inputs", index)
        if name is None:
            problems.append(Problem("wrong_type", "an input has a name", path, "write inputs: {name: {type: string}}"))
        elif name in found:
            problems.append(
                Problem("duplicate_key", f'the input "{name}" is there twice', ("inputs", name), "keep one", key=True)
            )
        else:
            found[name] = schema
            if around is not None and inner is not None:
                around.fields[name] = inner.keyed(inner.line, inner.column)
    return found, around


def _named(item: Any) -> tuple[str | None, Any]:
    if isinstance(item, str):
        return item, {}
    if is_object(item):
        for key in ("name", "id"):
            if isinstance(item.get(key), str):
                return item[key], {name: value for name, value in item.items() if name != key}
    return None, {}


def _schema(name: str, value: Any, problems: list[Problem]) -> Any:
    path: tuple[PathKey, ...] = ("inputs", name)
    if value is None:
        return {}
    if isinstance(value, str):
        if value.lower() == "any":
            return {}
        if value.lower() in TYPES:
            return {"type": TYPES[value.lower()]}
        hint = (
            did_you_mean(value.lower(), TYPES)
            or f'write {name}: {{type: string, default: "{value[:40]}"}} for a default'
        )
        problems.append(Problem("wrong_type", f'"{value[:60]}" is not a type', path, hint))
        return {}
    if not is_object(value):
        hint = f"write {name}: {{default: ...}} for a default"
        problems.append(
            Problem(
                "wrong_type", f"an input is declared by a type or a JSON Schema, not by {kind_of(value)}", path, hint
            )
        )
        return {}
    return _declared(value)


def _declared(schema: dict[str, Any]) -> dict[str, Any]:
    found = dict(schema)
    if "defaults" in found and "default" not in found:
        found["default"] = found.pop("defaults")
    if isinstance(found.get("options"), list) and "enum" not in found:
        found["enum"] = found.pop("options")
        if found.get("type") == "choice":
            del found["type"]
    kind = found.get("type")
    if isinstance(kind, str):
        _retype(found, kind)
    return _optional(found)


def _retype(found: dict[str, Any], kind: str) -> None:
    if kind.lower() == "any":
        del found["type"]
    elif kind.lower() in TYPES:
        found["type"] = TYPES[kind.lower()]


def _optional(found: dict[str, Any]) -> dict[str, Any]:
    """`required` of one input is no JSON Schema: without a default an input is required, with one it is not."""
    required = found.get("required")
    if not isinstance(required, bool):
        return found
    del found["required"]
    if not required and "default" not in found:
        if isinstance(found.get("type"), str):
            found["type"] = [found["type"], "null"]
        if isinstance(found.get("enum"), list) and None not in found["enum"]:
            found["enum"] = [*found["enum"], None]
        found["default"] = None
    return found
