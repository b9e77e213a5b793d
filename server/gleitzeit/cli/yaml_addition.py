"""Entries added to a list in the text of a configuration, in which every other letter stays where it is."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import yaml

_BOM = "\ufeff"
_DEEPER = 2


class UnextendableError(Exception):
    """Why a text can't be extended safely."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where lines are inserted, in place of the text between `start` and `end`."""

    start: int
    end: int


Entries = Sequence[Mapping[str, Any]]

ListName = tuple[str, str]
"""A list of a configuration: its section, and its key in there."""


def with_entries(text: str, name: ListName, entries: Entries) -> str:
    """The text of a configuration with more entries in one of its lists.

    Raises `UnextendableError` where that can't be done by inserting lines alone.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    plain = text.removeprefix(_BOM)
    data, _ = _read(plain)
    closed = plain if not plain or plain.endswith("\n") else plain + "\n"
    lines = _lines(closed, _read(closed)[1], name, entries)
    if plain and plain.count("\n") == plain.count("\r\n"):
        lines = lines.replace("\r\n", "\n").replace("\n", "\r\n")
    extended, _ = _read(lines)
    if extended != _expected(data, name, entries):
        raise UnextendableError("its lines can't be told apart well enough")
    return mark + lines


def entry_text(entries: Entries, indent: int = 0) -> str:
    """Entries as the items of a YAML list."""
    text: str = yaml.safe_dump(
        [dict(entry) for entry in entries],
        sort_keys=False,
        allow_unicode=True,
        width=1 << 20,
        default_flow_style=False,
    )
    return textwrap.indent(text, " " * indent)


def _read(text: str) -> tuple[Any, yaml.Node | None]:
    try:
        return yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UnextendableError(f"it is not one YAML document: {str(error).splitlines()[0]}") from error


def _expected(data: Any, name: ListName, entries: Entries) -> Any:
    section_name, key = name
    document: dict[str, Any] = dict(data or {})
    section: dict[str, Any] = dict(document.get(section_name) or {})
    section[key] = [*(section.get(key) or ()), *(dict(entry) for entry in entries)]
    return {**document, section_name: section}


def _lines(text: str, root: yaml.Node | None, name: ListName, entries: Entries) -> str:
    section_name, listed = name
    whole = f"{section_name}:\n  {listed}:\n{entry_text(entries, 4)}"
    if root is None:
        return _appended(text, whole)
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise UnextendableError("it is not written as lines of keys")
    found = _child(root, section_name)
    indent = root.start_mark.column
    if found is None:
        return _appended(text, textwrap.indent(whole, " " * indent))
    key, section_node = found
    if _is_empty(section_node):
        items = entry_text(entries, indent + 2 * _DEEPER)
        return _inserted(text, _emptied(key, section_node), f"{' ' * (indent + _DEEPER)}{listed}:\n{items}")
    return _in_section(text, key, section_node, name, entries)


def _in_section(text: str, key: yaml.Node, section: yaml.Node, name: ListName, entries: Entries) -> str:
    if not isinstance(section, yaml.MappingNode) or section.flow_style or _is_alias(key, section):
        raise UnextendableError(f"`{name[0]}` is not written as lines of keys")
    indent = section.start_mark.column
    found = _child(section, name[1])
    if found is None:
        items = entry_text(entries, indent + _DEEPER)
        return _inserted(text, _after(key, section, text), f"{' ' * indent}{name[1]}:\n{items}")
    place, listed = found
    if _is_empty(listed):
        return _inserted(text, _emptied(place, listed), entry_text(entries, indent + _DEEPER))
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style or _is_alias(place, listed):
        raise UnextendableError(f"`{'.'.join(name)}` is not written as lines that begin with a dash")
    return _inserted(text, _after(place, listed, text), entry_text(entries, listed.start_mark.column))


def _child(node: yaml.MappingNode, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = cast("list[tuple[yaml.Node, yaml.Node]]", node.value)
    return next(((key, value) for key, value in pairs if key.value == name), None)


def _is_empty(node: yaml.Node) -> bool:
    if isinstance(node, yaml.ScalarNode):
        return bool(node.tag == "tag:yaml.org,2002:null")
    return bool(getattr(node, "flow_style", False)) and not node.value


def _is_alias(key: yaml.Node, value: yaml.Node) -> bool:
    """Whether the value was written before its key, and is only referred to here."""
    return bool(value.start_mark.index < key.end_mark.index)


def _emptied(key: yaml.Node, value: yaml.Node) -> _Place:
    """The place of an empty value, which gives way to lines below its key."""
    if _is_alias(key, value):
        raise UnextendableError("a part of it stands elsewhere")
    return _Place(value.start_mark.index, value.end_mark.index)


def _after(key: yaml.Node, node: yaml.Node, text: str) -> _Place:
    """The place behind the last thing that is written in a node; comments that follow it are not in it."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        key, node = last if isinstance(node, yaml.MappingNode) else (key, last)
        if _is_alias(key, node):
            raise UnextendableError("a part of it stands elsewhere")
    end: int = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        # Such a text ends where the next thing begins, which is on a line of its own.
        end = max(text.rfind("\n", 0, end), 0)
    return _Place(end, end)


def _inserted(text: str, place: _Place, lines: str) -> str:
    """The lines below the line that the place is on; what the place covers is taken out."""
    head, rest = text[: place.start], text[place.end :]
    tail, line_end, below = rest.partition("\n")
    if place.start != place.end and not tail.strip():
        head = head.rstrip(" ")
    return f"{head}{tail}{line_end or chr(10)}{lines}{below}"


def _appended(text: str, lines: str) -> str:
    if not text.strip():
        return lines
    return f"{text}\n{lines}"
