"""JSON text -> plain data; where its values stand is worked out only when something is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.reading.marks import Mark, Positions
from gleitzeit.core.reading.text import MAX_DEPTH, Text, fault

_TOKEN = re.compile(r'[\[\]{},:]|"(?:[^"\\]|\\.)*"|[^\s\[\]{},:"]+', re.DOTALL)


class _Refused(Exception):
    """What the YAML reader is left to explain."""


class _Constant(Exception):
    """`NaN` and its kin, which JSON has not."""


def read_json(text: str) -> Text | None:
    """The data of a JSON text, or nothing where it is none; duplicate keys and other faults are told."""
    try:
        data = json.loads(
            text, object_pairs_hook=_object, parse_constant=_refuse, parse_int=_integer, parse_float=_float
        )
    except _Constant as constant:
        return Text(faults=(_constant_fault(text, str(constant)),))
    except (_Refused, ValueError, RecursionError):
        return None
    return Text(data, positions=Positions(lambda: json_marks(text)))


def json_fault(text: str) -> Diagnostic:
    """Why a text is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return fault(
            "json_syntax", f"this is not JSON: {error.msg.lower()}", error.lineno, error.colno, _hint(error, text)
        )
    except RecursionError:
        return fault("limit", f"values are nested deeper than {MAX_DEPTH}", 1, 1, "flatten it")
    return fault("json_syntax", "this is not JSON", 1, 1)


def json_marks(text: str) -> Mark | None:
    """Where each value of a valid JSON text stands."""
    root = Mark(1, 1)
    stack: list[tuple[Mark, bool]] = []
    key: tuple[str, int, int] | None = None
    for word, line, column in _tokens(text):
        if word in "]}":
            stack.pop()
        elif word in ",:":
            continue
        elif stack and stack[-1][1] and key is None:
            key = (json.loads(word, strict=False), line, column)
        else:
            mark = Mark(line, column)
            if not stack:
                root = mark
            elif key is not None:
                stack[-1][0].fields[key[0]] = mark.keyed(key[1], key[2])
                mark = stack[-1][0].fields[key[0]]
                key = None
            else:
                stack[-1][0].fields[len(stack[-1][0].fields)] = mark
            if word in "[{":
                stack.append((mark, word == "{"))
    return root


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    line, begin, position = 1, 0, 0
    for match in _TOKEN.finditer(text):
        lines = text.count("\n", position, match.start())
        if lines:
            line += lines
            begin = text.rindex("\n", position, match.start()) + 1
        position = match.start()
        yield match.group(), line, match.start() - begin + 1


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise _Refused  # the YAML reader says which key, and where
    return fields


def _refuse(constant: str) -> Any:
    raise _Constant(constant)


def _constant_fault(text: str, constant: str) -> Diagnostic:
    line, column = next((line, column) for word, line, column in _tokens(text) if word == constant)
    hint = "put it in quotes for the text, or leave it out"
    return fault("not_json", f"{constant} is not a number that JSON has", line, column, hint)


def _integer(digits: str) -> int:
    if len(digits) > 300:
        raise _Refused
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Refused
    return value


def _hint(error: json.JSONDecodeError, text: str) -> str | None:
    rest = text[error.pos : error.pos + 1]
    if "property name" in error.msg and rest == "}":
        return "remove the comma before }"
    if rest == "'":
        return 'JSON has double quotes: "text"'
    if "delimiter" in error.msg:
        return "a comma or a closing bracket is missing before this place"
    if "control character" in error.msg:
        return "write a line break in a text as \\n"
    return None
