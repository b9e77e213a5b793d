"""`Journal`: the calls that the code of one task makes, so that none that has an effect is carried out twice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.errors import ConflictError, GleitzeitError, LimitError
from gleitzeit.core.keys import call_key, number_of
from gleitzeit.store.base import TaskRow

MOST_CALLS = 10_000
_RANKS = {"completed": 0, "failed": 2}


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is told from others: `digest` is that of its method and parameters, `shown` how people see these.

    `repeatable`: to carry it out once more does no harm. `resumes`: what it began and was cut off in, it goes on with.
    """

    method: str
    digest: str
    shown: str
    read_only: bool = False
    repeatable: bool = False
    resumes: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.shown}"


@dataclass(frozen=True, slots=True)
class Entry:
    """The place of a call in the journal. `known` has its result already; without that it is to be carried out."""

    call: Call
    key: str
    occurrence: int
    attempts: int = 1
    known: TaskRow | None = None

    @property
    def identity(self) -> str:
        """The same for each attempt at the call, whatever else is called before it or meanwhile."""
        return f"{self.call.digest}.{self.occurrence}"

    @property
    def facts(self) -> dict[str, Any]:
        """What its row says, so that a later attempt finds it again."""
        return {
            "method": self.call.method,
            "parameters": self.call.shown,
            "call": self.call.digest,
            "occurrence": self.occurrence,
            "read_only": self.call.read_only,
        }


class Journal:
    """The calls of one attempt of the task `key`, begun with the rows of those that earlier attempts made.

    A call is found again by method and parameters. Of several that are the same, those that are completed come first
    and those that failed last, so that code which tried again after a failure does not have it done once more.
    `ambiguous`: calls are carried out again even where nobody knows whether they have been before.
    """

    __slots__ = ("_ambiguous", "_gaps", "_key", "_left", "_next", "_occurrences", "_owed", "_recorded")

    def __init__(self, key: str, rows: Sequence[TaskRow] = (), *, ambiguous: bool = False) -> None:
        self._key = key
        self._ambiguous = ambiguous
        self._left: dict[str, deque[TaskRow]] = {}
        self._recorded: dict[str, set[int]] = {}
        self._occurrences: dict[str, int] = {}
        numbers = {number_of(row.key): row for row in sorted(rows, key=lambda row: number_of(row.key))}
        for row in sorted(numbers.values(), key=lambda row: _RANKS.get(row.state, 1)):
            self._left.setdefault(row.metadata["call"], deque()).append(row)
            self._recorded.setdefault(row.metadata["call"], set()).add(row.metadata["occurrence"])
        self._owed = {number: row for number, row in numbers.items() if _binding(row)}
        self._next = max(numbers, default=0) + 1
        self._gaps = deque(number for number in range(1, self._next) if number not in numbers)

    def take(self, call: Call) -> Entry:
        """The place of a call that is made now.

        Raises an ambiguous error where nobody knows whether an earlier attempt carried it out and it must not be
        repeated, and `LimitError` for one call too many.
        """
        left = self._left.get(call.digest)
        if not left:
            return self._new(call)
        row = left.popleft()
        self._owed.pop(number_of(row.key), None)
        occurrence = row.metadata["occurrence"]
        if row.state == "completed":
            return Entry(call, row.key, occurrence, row.attempts, row)
        if in_doubt(row) and not self._may_repeat(call, row):
            raise _cut_off(call, row)
        return Entry(call, row.key, occurrence, row.attempts + 1)

    def passed_over(self, call: Call) -> TaskRow | None:
        """The call of an earlier attempt that code which makes one call after the other would have made before `call`.

        Only a call that may have an effect, and that is not in the journal, passes over others that may have had one.
        One that is repeatable may have been made before them too, and cut off before anything was written of it: then
        a number is missing.
        """
        if call.read_only or not self._owed or self._left.get(call.digest):
            return None
        number = next(iter(self._owed))
        if call.repeatable and self._gaps and self._gaps[0] < number:
            return None
        return self._owed[number]

    def _new(self, call: Call) -> Entry:
        if call.repeatable and self._gaps:
            number = self._gaps.popleft()
        else:
            number = self._next
            if number > MOST_CALLS:
                raise LimitError(
                    f'"{self._key}" has made {MOST_CALLS:,} calls, and may make no more',
                    hint="let a call do more at once, or spread them over several tasks with `foreach`",
                )
            self._next += 1
        return Entry(call, call_key(self._key, number), self._occurrence(call.digest))

    def _occurrence(self, digest: str) -> int:
        recorded = self._recorded.get(digest, ())
        occurrence = self._occurrences.get(digest, 0) + 1
        while occurrence in recorded:
            occurrence += 1
        self._occurrences[digest] = occurrence
        return occurrence

    def _may_repeat(self, call: Call, row: TaskRow) -> bool:
        return call.repeatable or self._ambiguous or (call.resumes and row.state != "failed")


def another_way(key: str, row: TaskRow, call: Call) -> ConflictError:
    """What is wrong where the code calls something else than it did in an earlier attempt, as `row` says."""
    before = f"{row.metadata['method']} {row.metadata['parameters']}"
    return ConflictError(
        f'the code of "{key}" took another way than in an earlier attempt: '
        f"where it called {before} ({row.key}), it now calls {call}",
        hint="what it calls may depend on its parameters and on results of its calls alone, not on time or chance",
        details={"before": row.key},
    )


def in_doubt(row: TaskRow) -> bool:
    """Whether nobody knows if the call was carried out."""
    return row.state != "completed" and (row.state != "failed" or row.failure is None or row.failure.ambiguous)


def _binding(row: TaskRow) -> bool:
    return not row.metadata["read_only"] and (row.state == "completed" or in_doubt(row))


def _cut_off(call: Call, row: TaskRow) -> GleitzeitError:
    if row.failure is not None:
        return row.failure.to_error()
    return GleitzeitError(
        f"{call} ({row.key}) was cut off in an earlier attempt, and nobody knows whether it was carried out",
        hint=f"find out whether it was; with `retry: {{ambiguous: true}}` the task repeats such calls of {call.method}",
        code="interrupted",
        ambiguous=True,
    )
