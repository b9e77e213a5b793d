"""Servers added to the text of a configuration, in which every other letter stays where it is."""

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


def with_servers(text: str, servers: Sequence[Mapping[str, Any]]) -> str:
    """The text of a configuration with more entries under `mcp.servers`.

    Raises `UnextendableError` where that can't be done by inserting lines alone.
    """
    mark = _BOM if text.startswith(_BOM) else ""
    plain = text.removeprefix(_BOM)
    data, _ = _read(plain)
    closed = plain if not plain or plain.endswith("\n") else plain + "\n"
    lines = _lines(closed, _read(closed)[1], servers)
    if plain and plain.count("\n") == plain.count("\r\n"):
        lines = lines.replace("\r\n", "\n").replace("\n", "\r\n")
    extended, _ = _read(lines)
    if extended != _expected(data, servers):
        raise UnextendableError("its lines can't be told apart well enough")
    return mark + lines


def entry_text(servers: Sequence[Mapping[str, Any]], indent: int = 0) -> str:
    """Servers as the items of a YAML list."""
    text: str = yaml.safe_dump(
        [dict(server) for server in servers],
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


def _expected(data: Any, servers: Sequence[Mapping[str, Any]]) -> Any:
    document: dict[str, Any] = dict(data or {})
    section: dict[str, Any] = dict(document.get("mcp") or {})
    section["servers"] = [*(section.get("servers") or ()), *(dict(server) for server in servers)]
    return {**document, "mcp": section}


def _lines(text: str, root: yaml.Node | None, servers: Sequence[Mapping[str, Any]]) -> str:
    if root is None:
        return _appended(text, f"mcp:\n  servers:\n{entry_text(servers, 4)}")
    if not isinstance(root, yaml.MappingNode) or root.flow_style:
        raise UnextendableError("it is not written as lines of keys")
    found = _child(root, "mcp")
    indent = root.start_mark.column
    if found is None:
        section = f"mcp:\n  servers:\n{entry_text(servers, 4)}"
        return _appended(text, textwrap.indent(section, " " * indent))
    key, section_node = found
    if _is_empty(section_node):
        items = entry_text(servers, indent + 2 * _DEEPER)
        return _inserted(text, _emptied(key, section_node), f"{' ' * (indent + _DEEPER)}servers:\n{items}")
    return _in_section(text, key, section_node, servers)


def _in_section(text: str, key: yaml.Node, section: yaml.Node, servers: Sequence[Mapping[str, Any]]) -> str:
    if not isinstance(section, yaml.MappingNode) or section.flow_style or _is_alias(key, section):
        raise UnextendableError("`mcp` is not written as lines of keys")
    indent = section.start_mark.column
    found = _child(section, "servers")
    if found is None:
        items = entry_text(servers, indent + _DEEPER)
        return _inserted(text, _after(key, section, text), f"{' ' * indent}servers:\n{items}")
    name, listed = found
    if _is_empty(listed):
        return _inserted(text, _emptied(name, listed), entry_text(servers, indent + _DEEPER))
    if not isinstance(listed, yaml.SequenceNode) or listed.flow_style or _is_alias(name, listed):
        raise UnextendableError("`mcp.servers` is not written as lines that begin with a dash")
    return _inserted(text, _after(name, listed, text), entry_text(servers, listed.start_mark.column))


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
