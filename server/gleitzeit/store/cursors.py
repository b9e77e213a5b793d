"""Where a page of runs ends, as a caller gets it and gives it back."""

from __future__ import annotations

from gleitzeit.core.errors import ValidationError

NEWEST = 2**63 - 1
"""A number that no run has."""


def number_of(cursor: str | None) -> int:
    """The number of the run that a page ends before. Raises `ValidationError` for what was never a cursor."""
    if cursor is None:
        return NEWEST
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise ValidationError(f'"{cursor[:40]}" is not a cursor', hint="pass the cursor of the page before, unchanged")
    return int(cursor)
