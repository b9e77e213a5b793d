"""What a script printed, as data."""

from __future__ import annotations

import json
from typing import Any

from gleitzeit.core.errors import LimitError, ProviderError
from gleitzeit_python.results.literals import NotLiteralError, literal

_DIGITS = 300
_OPENING = ("{", "[")


class _Unfit(Exception):
    """JSON that is more than JSON should be."""


def printed_value(text: str) -> Any:
    """The value that a text stands for: JSON, else a Python literal, else the text itself; null where it is empty.

    Raises an error for JSON with numbers that JSON has not, or that is nested too deeply.
    """
    text = text.strip()
    if not text:
        return None
    try:
        return json.loads(text, parse_int=_integer, parse_float=_float, parse_constant=_constant)
    except _Unfit as error:
        if text.startswith(_OPENING):
            raise ProviderError(
                f"what it printed is no JSON: {error}", hint="print null, or a text, in its place", retryable=False
            ) from None
        return text
    except RecursionError:
        raise LimitError("what it printed is nested too deeply", hint="print it flatter") from None
    except ValueError:
        pass
    try:
        return literal(text)
    except NotLiteralError:
        return text


def _integer(digits: str) -> int:
    if len(digits) > _DIGITS:
        raise _Unfit(f"an integer of {len(digits):,} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise _Unfit(f"{digits[:40]} is too large a number")
    return value


def _constant(constant: str) -> Any:
    raise _Unfit(f"{constant} is not a number that JSON has")
