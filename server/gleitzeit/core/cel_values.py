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

from gleitzeit.core.cel_parser import parse
from gleitzeit.core.cel_tokens import CelSyntaxError
from gleitzeit.core.cel_doubles import as_doubles, with_doubles
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ExpressionError

_INT64 = 2**63
_EXACT = 2**53


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
    match value:
        case float() if value.is_integer() and abs(value) < _EXACT:
            return int(value)
        case list():
            return [_whole(item) for item in cast("list[Any]", value)]
        case dict():
            return {key: _whole(item) for key, item in cast("dict[str, Any]", value).items()}
        case _:
            return value


def _check_numbers(data: Mapping[str, Any]) -> None:
    waiting: list[Any] = list(data.values())
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            waiting.extend(cast("dict[str, Any]", current).values())
        elif isinstance(current, list):
            waiting.extend(cast("list[Any]", current))
        elif isinstance(current, int) and not -_INT64 <= current < _INT64:
            raise ExpressionError(f"the number {current} is more than 64 bits hold", hint="pass such a number as text")


def _plain(value: Any) -> Any:
    match value:
        case None | bool() | str() | int():
            return value
        case float():
            if not math.isfinite(value):
                raise ExpressionError("the result is not a finite number")
            return value
        case list() | tuple():
            return [_plain(item) for item in cast("list[Any]", value)]
        case dict():
            return {_key(key): _plain(item) for key, item in cast("dict[Any, Any]", value).items()}
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case timedelta():
            return f"{value.total_seconds():g}s"
        case bytes():
            return _text(value)
        case _:
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
    short = words.split(" CEL does not coerce")[0].split(" Convert explicitly")[0].rstrip(". ")
    if short.startswith("No such overload"):
        short = "these types do not go together"
    seen = [f"{path} is {_kind(value)}" for path, value in _accessed(source, data)]
    return f"{short} ({', '.join(seen)})" if seen else short


def _mismatch_hint(words: str) -> str:
    if "string" in words:
        return "string(x) makes text of a number, int(x) or double(x) a number of text"
    return "a condition must be true or false, and both sides of an operator of one type; x == null tests for null"


def _kind(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int():
            return "a whole number"
        case float():
            return "a number"
        case str():
            return "text"
        case list():
            return f"a list of {len(cast('list[Any]', value))}"
        case _:
            return "an object"


def _accessed(source: str, data: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The paths that the expression reads, as far as they are there, with their values."""
    from gleitzeit.core.cel_paths import accesses, follow  # only for messages

    try:
        paths = accesses(parse(source))
    except CelSyntaxError:
        return []
    found = [(path.text, *follow(data, path.keys)) for path in paths]
    return [(text, value) for text, value, missing in found if missing is None][:4]


def _missing(subject: str, source: str, data: Mapping[str, Any], key: str) -> ExpressionError:
    from gleitzeit.core.cel_paths import accesses, follow  # only for messages

    for path in accesses(parse(source)):
        value, missing = follow(data, path.keys)
        if missing == key and isinstance(value, dict):
            names = sorted(name for name in cast("dict[str, Any]", value) if name != key)
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
