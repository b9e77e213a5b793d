"""Cutting data down to the fields that an expression reads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping

_SIBLINGS = 30


@dataclass(slots=True)
class Branch:
    """What is read under one key: all of it, or some fields. `optional`: it is only asked for."""

    whole: bool = False
    optional: bool = True
    fields: dict[PathKey, Branch] = field(default_factory=dict["PathKey", "Branch"])


def tree_of(paths: Iterable[tuple[Sequence[PathKey], bool]]) -> Branch:
    """The branches of all paths; the flag says that the last key of a path is optional."""
    root = Branch()
    for keys, optional in paths:
        branch = root
        for position, key in enumerate(keys):
            branch = branch.fields.setdefault(key, Branch())
            if position + 1 < len(keys) or not optional:
                branch.optional = False
        branch.whole = True
    return root


def prune_result(value: Any, branch: Branch) -> Any:
    """A task's result: null where it was skipped, all of whose fields are null; all of it is also in `result`."""
    if branch.whole:
        return value
    if value is None:
        return _nulls(branch)
    if "result" in branch.fields and not (is_mapping(value) and "result" in value):
        fields: Mapping[str, Any] = value if is_mapping(value) else {}
        return {**prune(fields, branch), "result": prune(value, branch.fields["result"])}
    return prune(value, branch)


def prune(value: Any, branch: Branch) -> Any:
    """What of `value` is read; where a field is missing its neighbours stay, as nulls, to be named in the error."""
    if branch.whole:
        return value
    if is_mapping(value):
        return _fields(value, branch)
    if is_list(value):
        return _items(value, branch)
    return value


def _fields(value: Mapping[str, Any], branch: Branch) -> dict[str, Any]:
    found = {str(key): prune(value[str(key)], inner) for key, inner in branch.fields.items() if key in value}
    if any(key not in found and not inner.optional for key, inner in branch.fields.items()):
        for name in sorted(value)[:_SIBLINGS]:
            found.setdefault(name, None)
    return found


def _items(value: list[Any], branch: Branch) -> list[Any]:
    found: list[Any] = [None] * len(value)
    for key, inner in branch.fields.items():
        if isinstance(key, int) and key < len(value):
            found[key] = prune(value[key], inner)
    return found


def _nulls(branch: Branch) -> dict[str, Any]:
    return {
        str(key): _nulls(inner) if inner.fields and not inner.whole else None
        for key, inner in branch.fields.items()
        if not inner.optional
    }
