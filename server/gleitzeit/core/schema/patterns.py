"""Regular expressions of foreign schemas: weighed before they are compiled, and matched in linear time."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from gleitzeit.core.schema.budget import Budget

_LONGEST = 1_000
_NEW_PATTERN = 100
_MOST_STEPS = 6_000
_MOST_STATES = 2_000
_STATES_A_STEP = 100
_STEPS_A_TEXT = 30
_KEPT = 256
_KEPT_STEPS = 100_000
"""Compiled patterns take memory as they take time: these about 20 MB."""

_PARTS = re.compile(
    r"(?P<counted>\{\s*(?P<least>\d*)\s*(?:,\s*(?P<most>\d*)\s*)?\})"
    r"|(?P<words>\\[pP](?:\{[^}]*\}|.)|\\[wW])"
    r"|(?P<digits>\\[dD])"
    r"|(?P<escape>\\.)"
    r"|(?P<wide>\.)"
    r"|(?P<opening>\[\^?\]?|\()"
    r"|(?P<closing>[\])])"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ELSEWHERE = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|\\k<|[*+?}]\+|\\[ZG]|\\c[A-Za-z]")
"""What only engines with exponential time have."""
_SPACED = re.compile(r"\(\?[a-zA-Z]*x")
_ANY_CASE = re.compile(r"\(\?[a-zA-Z]*i")


@dataclass(frozen=True, slots=True)
class Weight:
    """What a pattern costs: steps to compile it, and states that it may be in at each character."""

    steps: float
    states: float

    @property
    def bearable(self) -> bool:
        """Whether it may be compiled at all."""
        return self.steps <= _MOST_STEPS and self.states <= _MOST_STATES

    def plus(self, other: Weight) -> Weight:
        """Both, one after the other."""
        return Weight(self.steps + other.steps, self.states + other.states)

    def times(self, count: int) -> Weight:
        """It `count` times over."""
        return Weight(self.steps * count, self.states * count)


Finder = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class LinearPattern:
    """A pattern that is compiled, and the states that it may be in at each character."""

    finds: Finder
    states: float

    def found_in(self, text: str, budget: Budget) -> bool:
        """Whether it is found in `text`, paid for before."""
        budget.spend(_STEPS_A_TEXT + int(len(text) * (1 + self.states) / _STATES_A_STEP))
        return self.finds(text)


_NOTHING = Weight(0.0, 0.0)
_CLASS = Weight(4.0, 2.0)


def matches(pattern: str, text: str, budget: Budget) -> bool | None:
    """Whether `pattern` is found in `text`; nothing where it cannot be told in linear time, or only at great cost."""
    budget.note_pattern(pattern)
    budget.spend(1 + len(pattern) // 100)
    weight = weigh(pattern) if len(pattern) <= _LONGEST else None
    if weight is None:
        return None
    budget.spend(int(len(text) * (1 + weight.states) / _STATES_A_STEP))
    finder = _compiled(pattern, weight, budget)
    return None if finder is None else finder(text)


def linear_pattern(pattern: str, budget: Budget) -> LinearPattern | None:
    """A pattern to be looked for in many texts; nothing where that can't be told in linear time, or at great cost."""
    budget.spend(1 + len(pattern) // 100)
    weight = weigh(pattern) if len(pattern) <= _LONGEST else None
    if weight is None:
        return None
    budget.spend(_NEW_PATTERN + int(weight.steps))
    finder = _compile(pattern)
    return None if finder is None else LinearPattern(finder, weight.states)


def pattern_problem(pattern: str, budget: Budget) -> str | None:
    """What keeps a pattern from being applied, in plain words."""
    budget.note_pattern(pattern)
    budget.spend(1 + len(pattern) // 100)
    weight = weigh(pattern) if len(pattern) <= _LONGEST else None
    if weight is None:
        return "is too long, or repeats too much, to be checked"
    if _compiled(pattern, weight, budget) is None and not _ELSEWHERE.search(pattern):
        return "is no regular expression"
    return None


@lru_cache(maxsize=4 * _KEPT)
def weigh(pattern: str) -> Weight | None:
    """A guess at the safe side of what a pattern costs; nothing where that is too much."""
    if _SPACED.search(pattern):
        return None
    groups: list[tuple[str, Weight]] = [("", _NOTHING)]
    last = _NOTHING
    for part in _PARTS.finditer(pattern):
        inside, weight = groups[-1]
        kind, text = part.lastgroup, part.group()
        if kind == "opening" and (inside != "[" or text != "("):
            groups.append((text[0], _CLASS if text != "(" else _NOTHING))
            continue
        if kind == "closing" and inside == {")": "(", "]": "["}[text]:
            groups.pop()
            inside, last, added = groups[-1][0], weight, weight
            weight = groups[-1][1]
        elif kind == "counted":
            added = last.times(_count(part) - 1)
            last = last.plus(added)
        else:
            last = added = _atom(kind, text)
        groups[-1] = (inside, weight.plus(added))
        if not groups[-1][1].bearable:
            return None
    return _whole(pattern, [weight for _, weight in groups])


def _whole(pattern: str, parts: list[Weight]) -> Weight | None:
    whole = _NOTHING
    for part in parts:
        whole = whole.plus(part)
    if _ANY_CASE.search(pattern):
        whole = Weight(whole.steps * 4, whole.states * 2)
    return whole if whole.bearable else None


def _count(part: re.Match[str]) -> int:
    """How often a counted repetition stands in the compiled pattern."""
    texts = (part["least"] or "0", part["most"] or "0")
    return max(1, *(10_000 if len(text) > 4 else int(text) for text in texts))


def _atom(kind: str | None, text: str) -> Weight:
    match kind:
        case "words":
            return Weight(180.0, 4.0)
        case "digits":
            return Weight(25.0, 2.0)
        case "wide":
            return Weight(4.0, 2.0)
        case _ if text in "*+?|^$":
            return Weight(1.0, 0.5)
        case _:
            return Weight(1.0, 1.0) if text.isascii() else Weight(3.0, 2.0)


_kept: OrderedDict[str, tuple[float, Finder | None]] = OrderedDict()
"""The patterns that were compiled last, with what they weigh; nothing for those that are none."""


def _compiled(pattern: str, weight: Weight, budget: Budget) -> Finder | None:
    kept = _kept.get(pattern)
    if kept is not None:
        _kept.move_to_end(pattern)
        return kept[1]
    budget.spend(_NEW_PATTERN + int(weight.steps))
    finder = _compile(pattern)
    _kept[pattern] = (weight.steps, finder)
    while len(_kept) > _KEPT or (len(_kept) > 1 and sum(steps for steps, _ in _kept.values()) > _KEPT_STEPS):
        _kept.popitem(last=False)
    return finder


def _compile(pattern: str) -> Finder | None:
    from pydantic_core import SchemaError, SchemaValidator, core_schema  # costs what start-up must not

    try:
        return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex")).isinstance_python
    except SchemaError:
        return None
