"""YAML text -> plain data and the position of every value.

The text is foreign. It is read event by event, so that neither depth nor aliases can exhaust anything; scalars are
those of YAML 1.2 (`on`, `yes` and dates are text), and no tag makes an object.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from gleitzeit.core.data import is_object, is_sequence
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.reading.marks import Mark, Positions
from gleitzeit.core.reading.text import MAX_DEPTH, Text, fault
from gleitzeit.core.reading.yaml_errors import explain
from gleitzeit.core.reading.yaml_scalars import Unreadable, key_text, scalar

MAX_ALIASED = 10_000
MAX_VALUES = 500_000

_TEXT_OF_A_VALUE = 1024
"""Characters of text that count as one more value, so that aliases can't multiply a long text either."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class _Value:
    data: Any
    mark: Mark
    size: int = 1
    depth: int = 1
    plain: bool = False
    source: str = ""


@dataclass(slots=True)
class _Open:
    """A list or object that is being read."""

    value: _Value
    anchor: str | None
    key: _Value | None = None
    merged: list[_Value] = field(default_factory=list["_Value"])
    meant: str | None = None


def read_yaml(text: str) -> Text:
    """The one document in `text`."""
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except DocumentError as stop:
        builder.faults.extend(stop.diagnostics)
        return Text(faults=tuple(builder.faults))
    except yaml.YAMLError as error:
        builder.faults.append(_syntax(error, text))
        return Text(faults=tuple(builder.faults))
    root = builder.root
    if root is None:
        return Text(faults=tuple(builder.faults))
    return Text(root.data, tuple(builder.faults), Positions(lambda: root.mark))


class _Builder:
    def __init__(self) -> None:
        self.root: _Value | None = None
        self.faults: list[Diagnostic] = []
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Value | None] = {}
        self._values = 0
        self._aliased = 0
        self._documents = 0

    def take(self, event: Any) -> None:
        """Take in one event of the parser."""
        if isinstance(event, yaml.ScalarEvent):
            self._scalar(event)
        elif isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            self._begin(event)
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            self._end()
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                raise _stop(
                    event, "several_documents", "a text holds one document", "submit what follows --- on its own"
                )

    def _scalar(self, event: Any) -> None:
        self._count(event)
        plain = bool(event.implicit[0])
        try:
            data = scalar(event.value, event.tag, plain)
        except Unreadable as error:
            self.faults.append(_fault(event, error.code, error.message, error.hint))
            data = event.value
        size = 1 + len(event.value) // _TEXT_OF_A_VALUE
        self._add(_Value(data, _mark(event), size, plain=plain, source=event.value), event.anchor)

    def _begin(self, event: Any) -> None:
        self._count(event)
        is_map = isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", "tag:yaml.org,2002:map" if is_map else "tag:yaml.org,2002:seq"):
            self.faults.append(
                _fault(
                    event, "yaml_tag", f"the tag {_tag(event.tag)} is not allowed", "write plain data, without !tags"
                )
            )
        if len(self._stack) >= MAX_DEPTH:
            raise _stop(event, "limit", f"values are nested deeper than {MAX_DEPTH}", "flatten it")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(_Value({} if is_map else [], _mark(event)), event.anchor))

    def _end(self) -> None:
        done = self._stack.pop()
        for other in done.merged:
            _merge(done.value, other)
        if done.meant is not None:
            done.value.data = done.meant
        self._add(done.value, done.anchor)

    def _alias(self, event: Any) -> None:
        value = self._anchors.get(event.anchor)
        if event.anchor not in self._anchors:
            raise _stop(
                event, "yaml_syntax", f"*{event.anchor} names no anchor", "put text that begins with * in quotes"
            )
        if value is None:
            raise _stop(event, "yaml_syntax", f"*{event.anchor} contains itself")
        self._aliased += value.size
        if self._aliased > MAX_ALIASED:
            raise _stop(
                event,
                "limit",
                f"aliases add more than {MAX_ALIASED:,} values",
                "write them out, or pass them as a file",
            )
        if len(self._stack) + value.depth > MAX_DEPTH:
            raise _stop(event, "limit", f"values are nested deeper than {MAX_DEPTH}", "flatten it")
        here = _mark(event)
        here.fields = value.mark.fields
        self._add(_Value(value.data, here, value.size, value.depth, value.plain, value.source), None)

    def _count(self, event: Any) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _stop(
                event, "limit", f"the document has more than {MAX_VALUES:,} values", "pass large data as a file"
            )

    def _add(self, value: _Value, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value
        if not self._stack:
            self.root = value
            return
        parent = self._stack[-1]
        if is_object(parent.value.data):
            self._add_to_object(parent, value)
        else:
            parent.value.mark.fields[len(parent.value.data)] = value.mark
            parent.value.data.append(value.data)
            _grow(parent.value, value)

    def _add_to_object(self, parent: _Open, value: _Value) -> None:
        if parent.key is None:
            parent.key = value
            return
        key, parent.key = parent.key, None
        if key.plain and key.source == "<<":
            parent.merged.extend(self._sources(value))
            _grow(parent.value, value)
            return
        name = self._name(parent, key)
        fields: dict[str, Any] = parent.value.data
        if name in fields:
            before = parent.value.mark.fields[name]
            self.faults.append(
                fault(
                    "duplicate_key",
                    f'"{name}" is there twice (first in line {before.key_line})',
                    key.mark.line,
                    key.mark.column,
                    "keep one",
                )
            )
            return
        fields[name] = value.data
        parent.value.mark.fields[name] = value.mark.keyed(key.mark.line, key.mark.column)
        _grow(parent.value, value)

    def _sources(self, value: _Value) -> Iterator[_Value]:
        """What a merge key merges: an object, or each of a list."""
        if is_object(value.data):
            yield value
        elif is_sequence(value.data) and all(is_object(item) for item in value.data):
            for index, item in enumerate(value.data):
                yield _Value(item, value.mark.fields[index])
        else:
            self.faults.append(fault("yaml_syntax", "<< merges objects only", value.mark.line, value.mark.column))

    def _name(self, parent: _Open, key: _Value) -> str:
        name = key_text(key.data, key.source, key.plain)
        if name is not None:
            return name
        if is_object(key.data) or is_sequence(key.data):
            told = _braces(key)
            self.faults.append(told)
            parent.meant = told.hint  # read on as the text that was meant, so that one mistake is told once
            return "?"
        message = f"the key {key.source or 'null'} is not text"
        self.faults.append(
            fault("key_not_text", message, key.mark.line, key.mark.column, f'write "{key.source}" in quotes')
        )
        return key.source or "null"


def _braces(key: _Value) -> Diagnostic:
    """Why an object is a key: nearly always a foreign reference without quotes."""
    inner = next(iter(key.data), None) if is_object(key.data) else None
    if isinstance(inner, str):
        return fault(
            "foreign_reference",
            f"{{{{ {inner} }}}} is written as in another system",
            key.mark.line,
            key.mark.column,
            f'write "${{{inner}}}"',
        )
    return fault("key_not_text", "a key is not text", key.mark.line, key.mark.column, "put text with braces in quotes")


def _merge(value: _Value, other: _Value) -> None:
    for name, item in other.data.items():
        if name not in value.data:
            value.data[name] = item
            value.mark.fields[name] = other.mark.fields[name]


def _grow(parent: _Value, child: _Value) -> None:
    parent.size += child.size
    parent.depth = max(parent.depth, child.depth + 1)


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _fault(event: Any, code: str, message: str, hint: str | None = None) -> Diagnostic:
    return fault(code, message, event.start_mark.line + 1, event.start_mark.column + 1, hint)


def _stop(event: Any, code: str, message: str, hint: str | None = None) -> DocumentError:
    """What ends the reading: nothing after it could be understood."""
    return DocumentError([_fault(event, code, message, hint)])


def _tag(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")


def _syntax(error: yaml.YAMLError, text: str) -> Diagnostic:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    lines = text.split("\n", line)
    message, hint = explain(error, lines[line - 1] if line <= len(lines) else "")
    return fault("yaml_syntax", message, line, column, hint)
