"""Forms: schemas of an object of plain values, which a host or a terminal can ask a person for, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_mapping

_ABOUT = frozenset({"type", "title", "description", "default"})
_FIELDS: Mapping[str, frozenset[str]] = {
    "string": _ABOUT | {"minLength", "maxLength", "format", "enum", "enumNames"},
    "number": _ABOUT | {"minimum", "maximum"},
    "integer": _ABOUT | {"minimum", "maximum"},
    "boolean": _ABOUT,
}
_FORMATS = ("date", "date-time", "email", "uri")
_WHOLE = frozenset({"type", "title", "description", "properties", "required", "additionalProperties", "$schema"})


def form_of(schema: Mapping[str, Any], *, choices: bool = True) -> dict[str, Any] | None:
    """The schema as a form, without what no form shows; nothing where it asks for more than plain values.

    `choices` are several of a list, and those with titles: hosts know them since 2025-11-25.
    """
    fields = {name: _typed(field) for name, field in schema.get("properties", {}).items()}
    if (
        schema.get("type") != "object"
        or not _WHOLE.issuperset(schema)
        or is_mapping(schema.get("additionalProperties"))
    ):
        return None
    if not all(_is_field(field) or (choices and _is_choice(field)) for field in fields.values()):
        return None
    if not set(schema.get("required", ())) <= set(fields):
        return None
    form = {"type": "object", "properties": fields}
    return {**form, "required": list(schema["required"])} if schema.get("required") else form


def _typed(field: Any) -> Any:
    """The field with its type, which one of several texts may leave out."""
    untyped = is_mapping(field) and "type" not in field and _are_texts(field.get("enum"))
    return {"type": "string", **field} if untyped else field


def _is_field(field: Any) -> bool:
    """Whether it is one plain value."""
    if not is_mapping(field) or not isinstance(field.get("type"), str):
        return False
    if not _FIELDS.get(field["type"], frozenset()).issuperset(field):
        return False
    return field.get("format") in (None, *_FORMATS) and all(isinstance(value, str) for value in field.get("enum", ()))


def _is_choice(field: Any) -> bool:
    """Whether it is one of several texts with titles, or any number of several texts."""
    if not is_mapping(field):
        return False
    if field.get("type") == "string":
        return (_ABOUT | {"oneOf"}).issuperset(field) and _are_titled(field.get("oneOf"))
    items = field.get("items")
    if field.get("type") != "array" or not (_ABOUT | {"items", "minItems", "maxItems"}).issuperset(field):
        return False
    if not is_mapping(items):
        return False
    named = set(items) == {"type", "enum"} and items["type"] == "string" and _are_texts(items["enum"])
    return named or (set(items) == {"anyOf"} and _are_titled(items["anyOf"]))


def _are_texts(values: Any) -> bool:
    return is_list(values) and all(isinstance(value, str) for value in values)


def _are_titled(options: Any) -> bool:
    return is_list(options) and all(
        is_mapping(option) and set(option) == {"const", "title"} and _are_texts(list(option.values()))
        for option in options
    )
