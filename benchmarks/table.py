"""The lines of a benchmark, each with its bound and whether it holds, as text or as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal

NAME, FIGURE, MEASURE, BOUND = 44, 12, 10, 12


@dataclass(frozen=True, slots=True)
class Line:
    """One measurement: `ours` beside `other`, and the `measure` of both that is held against the `bound`.

    Without a bound it is for information; without a measure it could not be taken, and `note` says why.
    """

    name: str
    ours: float | None = None
    other: float | None = None
    measure: float | None = None
    bound: float | None = None
    sense: Literal["at most", "at least"] = "at most"
    note: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the measure keeps to the bound; nothing where there is no saying."""
        if self.measure is None or self.bound is None:
            return None
        return self.measure <= self.bound if self.sense == "at most" else self.measure >= self.bound


@dataclass(frozen=True, slots=True)
class Section:
    """Lines that are measured in the same way and unit."""

    title: str
    columns: tuple[str, str, str]
    lines: Sequence[Line]


def as_text(sections: Sequence[Section]) -> str:
    """A table for people."""
    return "\n\n".join("\n".join([heading(section), *map(row, section.lines)]) for section in sections)


def as_json(sections: Sequence[Section]) -> str:
    """All of it as data."""
    data = [
        {
            "title": section.title,
            "columns": section.columns,
            "lines": [{**asdict(line), "holds": line.holds} for line in section.lines],
        }
        for section in sections
    ]
    return json.dumps(data, indent=2)


def heading(section: Section) -> str:
    """The title and what the columns are."""
    ours, other, measure = section.columns
    return f"{section.title}\n{'':{NAME}}{ours:>{FIGURE}}{other:>{FIGURE}}{measure:>{MEASURE}}{'bound':>{BOUND}}  holds"


def row(line: Line) -> str:
    """One line."""
    figures = f"{figure(line.ours):>{FIGURE}}{figure(line.other):>{FIGURE}}{figure(line.measure):>{MEASURE}}"
    sign = "<=" if line.sense == "at most" else ">="
    bound = "" if line.bound is None else f"{sign} {figure(line.bound)}"
    verdict = {True: "yes", False: "NO", None: ""}[line.holds]
    return f"  {line.name:<{NAME - 2}}{figures}{bound:>{BOUND}}  {verdict:<5} {line.note}".rstrip()


def figure(value: float | None) -> str:
    """A number with about three digits that count."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
