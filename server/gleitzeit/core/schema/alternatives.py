"""Alternatives that differ only in which field has to be there: told by the names of the fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_mapping

_MOST_SHOWN = 20


def required_names(schemas: Sequence[Any]) -> list[str]:
    """The fields of which each alternative requires one, and nothing else; none where the alternatives say more."""
    lists = [schema["required"] for schema in schemas if is_mapping(schema) and list(schema) == ["required"]]
    names = [name for names in lists if is_list(names) and len(names) == 1 for name in names if isinstance(name, str)]
    return names if len(names) == len(schemas) else []


def misnamed(value: Any, names: Sequence[str], *, only_one: bool) -> str | None:
    """What is wrong with the fields of a value that is to have one of these; nothing where it is no object."""
    if not is_mapping(value) or not names:
        return None
    there = [name for name in names if name in value]
    if not there:
        return f"must have {' or '.join(names[:_MOST_SHOWN])}"
    return f"must have only one of {' and '.join(there[:_MOST_SHOWN])}" if only_one and len(there) > 1 else None
