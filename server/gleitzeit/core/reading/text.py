"""What a text says, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.reading.marks import NOWHERE, Positions

MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Text:
    """The data of a text, null where it has none; the faults of the text; and where each value stands."""

    data: Any = None
    faults: tuple[Diagnostic, ...] = ()
    positions: Positions = NOWHERE


def fault(code: str, message: str, line: int, column: int, hint: str | None = None) -> Diagnostic:
    """A problem of the text itself, at a line and column counted from 1."""
    return Diagnostic(code, message, line=line, column=column, hint=hint)
