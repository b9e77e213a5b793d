"""What is wrong with a document: where, what, and how to mend it."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any, Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One problem; `line` and `column` count from 1, `path` is like `tasks[2].parameters.messages`."""

    code: str
    message: str
    path: str = ""
    line: int | None = None
    column: int | None = None
    hint: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line is not None else ""
        place = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}{place}{self.message}{hint} [{self.code}]"

    def to_dict(self) -> dict[str, Any]:
        """The diagnostic as JSON data, without what is absent."""
        values = {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "hint": self.hint,
        }
        return {key: value for key, value in values.items() if value is not None}


_LONGEST_NAME = 100
_MOST_NAMES = 1000
_COMPARED = 8


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, if any is close.

    Names come from foreign documents: comparing is quadratic in their length, so only those that share most pairs of
    letters are compared.
    """
    if len(name) > _LONGEST_NAME:
        return None
    pairs = _pairs(name)
    known = (known for known in islice(names, _MOST_NAMES) if len(known) <= _LONGEST_NAME)
    likely = heapq.nlargest(_COMPARED, known, key=lambda known: _likeness(pairs, _pairs(known)))
    matches = difflib.get_close_matches(name, likely, n=1, cutoff=0.6)
    return matches[0] if matches else None


def _likeness(pairs: frozenset[str], others: frozenset[str]) -> float:
    return len(pairs & others) / (len(pairs) + len(others))


@lru_cache(maxsize=4096)
def _pairs(name: str) -> frozenset[str]:
    padded = f" {name} "
    return frozenset(padded[index : index + 2] for index in range(len(padded) - 1))


def listed(names: Iterable[str], most: int = 20) -> str:
    """The first names, and how many more there are."""
    known = [*names]
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """`did you mean "x"?`, or nothing where no known name is close."""
    match = nearest(name, names)
    return f'did you mean "{match}"?' if match else None
