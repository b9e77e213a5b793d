"""What is wrong with a document: where, what, and how to mend it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
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


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, if any is close."""
    matches = difflib.get_close_matches(name, list(names), n=1, cutoff=0.6)
    return matches[0] if matches else None


def did_you_mean(name: str, names: Iterable[str]) -> str | None:
    """`did you mean "x"?`, or nothing where no known name is close."""
    match = nearest(name, names)
    return f'did you mean "{match}"?' if match else None
