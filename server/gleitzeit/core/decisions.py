"""What somebody says became of tasks whose end nobody saw. They are never guessed at: all have to be decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Literal, get_args

from gleitzeit.core.diagnostics import did_you_mean, listed
from gleitzeit.core.errors import ConflictError, ValidationError
from gleitzeit.core.keys import is_call, is_item, task_of
from gleitzeit.core.plan import Row

Decision = Literal["rerun", "skip", "completed", "failed"]
DECISIONS: tuple[str, ...] = get_args(Decision)


def unknown_keys(rows: Mapping[str, Row]) -> list[str]:
    """The tasks and items whose end is unknown; a foreach is named only where no item of it is to blame."""
    found = [key for key, row in rows.items() if row.state == "unknown" and not is_call(key)]
    blamed = {task_of(key) for key in found if is_item(key)}
    return [key for key in found if key not in blamed]


def decisions_on(
    rows: Mapping[str, Row], decided: Mapping[str, Decision], present: Collection[str]
) -> dict[str, Decision]:
    """What was decided on each unknown task and item; a decision on a foreach stands for its items.

    Only those of tasks that are still `present` have to be decided. Raises `ConflictError` naming the others, and
    `ValidationError` for a name that nothing has to be decided about.
    """
    due = unknown_keys(rows)
    _check(rows, decided, due)
    left = [key for key in due if key not in decided and task_of(key) not in decided and task_of(key) in present]
    if left:
        raise ConflictError(
            f"nobody saw how {listed(left)} ended: carried out, or not",
            hint=f'find out, and decide on each: unknown={{"{left[0]}": ...}} with {_or(DECISIONS)}',
            details={"unknown": left[:100]},
        )
    return {key: decided.get(key) or decided.get(task_of(key)) or "rerun" for key in due}


def _check(rows: Mapping[str, Row], decided: Mapping[str, str], due: list[str]) -> None:
    choices = {*due, *map(task_of, due)}
    for key, decision in decided.items():
        if decision not in DECISIONS:
            raise ValidationError(f'unknown: "{decision}" decides nothing about {key}', hint=f"write {_or(DECISIONS)}")
        if key not in choices:
            raise _nothing_due(key, rows, due)


def _nothing_due(key: str, rows: Mapping[str, Row], due: list[str]) -> ValidationError:
    found = rows.get(key)
    words = f'there is no task "{key}"' if found is None else f"{key} is {found.state}, which nobody has to decide"
    hint = did_you_mean(key, due) or (f"unknown are {listed(due)}" if due else "leave it out")
    return ValidationError(f"unknown: {words}", hint=hint)


def _or(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} or {last}"
