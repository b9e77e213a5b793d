"""How much work one check of a value may be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.diagnostics import did_you_mean

STEPS = 20_000
"""Steps of a check, each about half a microsecond, whatever the value."""

STEPS_A_PART = 6
"""More steps for each part of the value: what plain schemas need, and no schema can multiply."""

MOST_PATTERNS = 100
_MOST_GUESSES = 5
_GUESS = 1_000
_LONGEST_GUESSED = 40
_MOST_CANDIDATES = 50
_CHARACTERS_A_STEP = 500


class TooMuchToCheck(Exception):
    """A schema and a value that would take longer to compare than they are worth."""


class Budget:
    """The steps that are left; whoever is about to loop pays first."""

    __slots__ = ("_guesses", "_patterns", "left")

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps
        self._guesses = _MOST_GUESSES
        self._patterns: set[str] = set()

    @classmethod
    def for_value(cls, value: Any) -> Budget:
        """What checking `value` may cost."""
        return cls(STEPS + STEPS_A_PART * _parts(value))

    def spend(self, steps: int = 1) -> None:
        """Take steps away; raises `TooMuchToCheck` where there are none left."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchToCheck

    def spend_on(self, value: Any) -> None:
        """Pay for going through all of `value`."""
        waiting = [value]
        while waiting:
            current = waiting.pop()
            if isinstance(current, str):
                self.spend(1 + len(current) // _CHARACTERS_A_STEP)
            elif is_mapping(current):
                self.spend(1 + len(current))
                waiting.extend(current)
                waiting.extend(current.values())
            elif is_sequence(current):
                self.spend(1 + len(current))
                waiting.extend(current)
            else:
                self.spend()

    def note_pattern(self, pattern: str) -> None:
        """Count the different patterns; raises `TooMuchToCheck` where a schema has too many."""
        self._patterns.add(pattern)
        if len(self._patterns) > MOST_PATTERNS:
            raise TooMuchToCheck

    def guess(self, name: object, names: Collection[Any]) -> str | None:
        """`did you mean "x"?`, for the first few wrong names of a check, none of them long."""
        if not isinstance(name, str) or len(name) > _LONGEST_GUESSED or not self._guesses or self.left < _GUESS:
            return None
        self._guesses -= 1
        self.spend(_GUESS)
        return did_you_mean(name, _alike(name, names))


def _parts(value: Any) -> int:
    parts = 0
    waiting = [value]
    while waiting:
        current = waiting.pop()
        parts += 1
        if is_mapping(current):
            waiting.extend(current.values())
        elif is_sequence(current):
            waiting.extend(current)
    return parts


def _alike(name: str, names: Iterable[Any]) -> list[str]:
    """The names of about the same length: only they can be close."""
    slack = 2 + len(name) // 4
    found: list[str] = []
    for other in names:
        if isinstance(other, str) and abs(len(other) - len(name)) <= slack:
            found.append(other)
            if len(found) == _MOST_CANDIDATES:
                break
    return found
