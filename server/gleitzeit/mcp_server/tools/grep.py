"""Lines inside of a value that fit a regular expression: found in linear time, and within a bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

from gleitzeit.core.data import PathKey, is_mapping, is_sequence
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema.budget import Budget, TooMuchToCheck
from gleitzeit.core.schema.patterns import LinearPattern, linear_pattern, pattern_problem
from gleitzeit.mcp_server.rendering.answer import compact
from gleitzeit.mcp_server.rendering.places import place_text

_STEPS = 12_000_000  # two or three seconds in a thread, whatever the value and the pattern
_LONGEST_LINE = 1_000
_OVERLAP = 100
_LINES = re.compile(r"[^\n]+")

_turns = RunVar[anyio.CapacityLimiter]("gleitzeit searches")


@dataclass(slots=True)
class Search:
    """What was found: `total` matches, of which some are kept; not all of them where it was `cut_short`."""

    matches: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    total: int = 0
    cut_short: bool = False


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a text at `path`, or a piece of a long one; any other value is a single line."""

    path: tuple[PathKey, ...]
    text: str
    offset: int | None = None
    overlap: int = 0


async def search(value: Any, pattern: str, offset: int, limit: int) -> Search:
    """What `grep` finds, in a thread; one search after the other, so that many of them hold up nobody else."""
    turn = _turns.get(None)
    if turn is None:
        turn = anyio.CapacityLimiter(1)
        _turns.set(turn)
    return await anyio.to_thread.run_sync(grep, value, pattern, offset, limit, limiter=turn)


def grep(value: Any, pattern: str, offset: int, limit: int) -> Search:
    """Look through `value`, and keep `limit` matches from the one at `offset`.

    In a structured value each leaf is a line, `path: value`. Raises `ValidationError` for a pattern that can't be used.
    """
    budget = Budget(_STEPS)
    found = Search()
    compiled = linear_pattern(pattern, budget)
    if compiled is None:
        raise _unusable(pattern, budget)
    try:
        for line in _matching(value, compiled, budget):
            if offset <= found.total < offset + limit:
                found.matches.append(_told(line))
            found.total += 1
    except TooMuchToCheck:
        found.cut_short = True
    return found


def _matching(value: Any, pattern: LinearPattern, budget: Budget) -> Iterator[_Line]:
    before: _Line | None = None
    for line in _lines(value):
        place = f"{place_text(line.path)}: " if line.path else ""
        if not pattern.found_in(place + line.text, budget):
            continue
        twice = line.overlap and before is not None and _follows(line, before)
        if not twice or pattern.found_in(place + line.text[line.overlap :], budget):
            yield line
        before = line


def _follows(line: _Line, before: _Line) -> bool:
    ends = (before.offset or 0) + len(before.text)
    return line.path == before.path and (line.offset or 0) + line.overlap == ends


def _lines(value: Any) -> Iterator[_Line]:
    waiting: list[tuple[tuple[PathKey, ...], Any]] = [((), value)]
    while waiting:
        path, current = waiting.pop()
        if isinstance(current, str):
            yield from _text_lines(path, current)
        elif is_mapping(current) and current:
            waiting += [((*path, str(key)), current[key]) for key in reversed(list(current))]
        elif is_sequence(current) and current:
            waiting += [((*path, index), current[index]) for index in reversed(range(len(current)))]
        else:
            yield _Line(path, compact(current))


def _text_lines(path: tuple[PathKey, ...], text: str) -> Iterator[_Line]:
    for line in _LINES.finditer(text):
        start, end = line.span()
        yield _Line(path, text[start : min(end, start + _LONGEST_LINE)].removesuffix("\r"), start)
        for begin in range(start + _LONGEST_LINE - _OVERLAP, end - _OVERLAP, _LONGEST_LINE - _OVERLAP):
            yield _Line(path, text[begin : min(end, begin + _LONGEST_LINE)].removesuffix("\r"), begin, _OVERLAP)


def _told(line: _Line) -> dict[str, Any]:
    told: dict[str, Any] = {"path": place_text(line.path)} if line.path else {}
    if line.offset is not None:
        told["offset"] = line.offset
    return {**told, "text": line.text}


def _unusable(pattern: str, budget: Budget) -> ValidationError:
    problem = pattern_problem(pattern, budget) or "uses what takes exponential time, such as (?=...) or \\1"
    return ValidationError(
        f"grep {problem}", hint="write a plain regular expression, such as (?i)error|warning, without look-around"
    )
