"""Evaluating CEL: JSON data in, JSON data out, and errors in plain words."""

from __future__ import annotations

import base64
import math
import re
import sys
import types
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Protocol, cast

from gleitzeit.core.cel.accesses import accesses, follow
from gleitzeit.core.cel.doubles import EXACT, as_doubles, with_doubles
from gleitzeit.core.cel.parser import INT64, parse
from gleitzeit.core.cel.tokens import CelSyntaxError
from gleitzeit.core.data import is_list, is_object, is_sequence, kind_of
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ExpressionError


class _Program(Protocol):
    def execute(self, context: dict[str, Any]) -> Any: ...


@lru_cache(maxsize=1)
def _compiler() -> Callable[[str], _Program]:
    # The package imports its own command line, and with it rich and prompt_toolkit: ten times the cost of the rest.
    absent = "cel.cli" not in sys.modules
    if absent:
        sys.modules["cel.cli"] = types.ModuleType("cel.cli")
    try:
        import cel  # a native library of 6 MB, which only expressions need
    finally:
        if absent:
            del sys.modules["cel.cli"]
    return cast("Callable[[str], _Program]", cel.compile)


@lru_cache(maxsize=512)
def program(source: str) -> _Program:
    """The compiled expression; raises `ExpressionError` where it is not CEL."""
    try:
        return _compiler()(source)
    except ValueError as error:
        words = str(error).split("\n")[0].partition("ERROR: ")[2] or str(error)
        raise ExpressionError(f"{_shown(source)} is not an expression: {words}") from error


def evaluate(source: str, data: Mapping[str, Any]) -> Any:
    """The value of an expression, as JSON data; raises `ExpressionError` where it has none."""
    _check_numbers(data)
    try:
        return _plain(program(source).execute(dict(data)))
    except ExpressionError:
        raise
    except TypeError as error:
        return _with_doubles(source, data, error)
    except Exception as error:
        raise _translated(source, data, error) from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what the native library raises for its own defects
            raise
        raise ExpressionError(f"{_shown(source)} cannot be evaluated", hint="write it in a simpler way") from error


def _with_doubles(source: str, data: Mapping[str, Any], first: TypeError) -> Any:
    """Ints and floats do not mix in CEL; a person expects that they do."""
    doubled = with_doubles(source)
    if doubled is None:
        raise _translated(source, data, first) from first
    try:
        value = _plain(program(doubled).execute(as_doubles(data)))
    except Exception as error:
        raise _translated(source, data, first) from error
    return _whole(value)


def _whole(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT:
        return int(value)
    if is_list(value):
        return [_whole(item) for item in value]
    if is_object(value):
        return {key: _whole(item) for key, item in value.items()}
    return value


def _check_numbers(data: Mapping[str, Any]) -> None:
    waiting: list[Any] = list(data.values())
    while waiting:
        current = waiting.pop()
        if is_object(current):
            waiting.extend(current.values())
        elif is_list(current):
            waiting.extend(current)
        elif isinstance(current, int) and not -INT64 <= current < INT64:
            raise ExpressionError(f"the number {current} is more than 64 bits hold", hint="pass such a number as text")


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, str, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ExpressionError("the result is not a finite number")
        return value
    if is_sequence(value):
        return [_plain(item) for item in value]
    if is_object(value):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, timedelta):
        return f"{value.total_seconds():g}s"
    if isinstance(value, bytes):
        return _text(value)
    raise ExpressionError(f"the result is not data but {type(value).__name__}")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    return str(key)


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return base64.b64encode(value).decode()


def _shown(source: str) -> str:
    text = " ".join(source.split())
    return f'"{text if len(text) <= 100 else text[:97] + "..."}"'


def _translated(source: str, data: Mapping[str, Any], error: Exception) -> ExpressionError:
    subject = _shown(source)
    match error:
        case KeyError():
            return _missing(subject, source, data, str(error.args[0]).strip("'\""))
        case IndexError():
            return ExpressionError(
                f"{subject}: {error}", hint="size(x) tells how many items there are; the first is [0]"
            )
        case ZeroDivisionError():
            return ExpressionError(f"{subject}: division by zero")
        case OverflowError():
            return ExpressionError(f"{subject}: a whole number grew over 64 bits")
        case TypeError():
            return ExpressionError(f"{subject}: {_mismatch(str(error), source, data)}", hint=_mismatch_hint(str(error)))
        case _:
            words = re.sub(r"\s*Check (that|function).*", "", str(error), flags=re.DOTALL).split("\n")[0]
            return ExpressionError(f"{subject}: {words}")


def _mismatch(words: str, source: str, data: Mapping[str, Any]) -> str:
    short = words.split(" CEL does not coerce", maxsplit=1)[0].split(" Convert explicitly", maxsplit=1)[0].rstrip(". ")
    if short.startswith("No such overload"):
        short = "these types do not go together"
    seen = [f"{path} is {kind_of(value)}" for path, value in _accessed(source, data)]
    return f"{short} ({', '.join(seen)})" if seen else short


def _mismatch_hint(words: str) -> str:
    if "string" in words and "No such overload" not in words:
        return "string(x) makes text of a number, int(x) or double(x) a number of text"
    return "a condition must be true or false, and both sides of an operator of one type; x == null tests for null"


def _accessed(source: str, data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The paths that the expression reads, as far as they are there, with their values."""
    try:
        paths = accesses(parse(source))
    except CelSyntaxError:
        return []
    found = [(path.text, *follow(data, path.keys)) for path in paths]
    return [(text, value) for text, value, missing in found if missing is None][:4]


def _missing(subject: str, source: str, data: Mapping[str, Any], key: str) -> ExpressionError:
    for path in accesses(parse(source)):
        value, missing = follow(data, path.keys)
        if missing == key and is_object(value):
            names = sorted(name for name in value if name != key)
            there = ", ".join(names[:20]) or "none"
            return ExpressionError(
                f'{subject}: there is no field "{key}"; the fields there are: {there}',
                hint=did_you_mean(key, names) or "has(x.field) tests whether a field is there",
                code="reference_unresolved",
            )
    return ExpressionError(
        f'{subject}: there is no field "{key}"',
        hint="has(x.field) tests whether a field is there",
        code="reference_unresolved",
    )
