"""`ItemResults`: what the items of one foreach came to, until they are one list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gleitzeit.core.models import Failure
from gleitzeit.engine.local.results import too_large
from gleitzeit.store.base import TaskRow


class ItemResults:
    """Results in the order of the items; null for one that failed."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items
        self._results: list[Any] = [None] * len(items)
        self._bad: dict[int, TaskRow] = {}
        self._size = 2

    def note(self, index: int, row: TaskRow, size: int) -> None:
        """Take in what an item came to, with a result of about `size` bytes."""
        self._results[index] = row.result
        self._size += size + 2
        if row.state in ("failed", "unknown"):
            self._bad[index] = row

    def joined(self, limit: int) -> list[Any]:
        """All results. Raises `LimitError` where together they are over `limit` bytes."""
        if self._size > limit:
            raise too_large(limit)
        return self._results

    def failure(self, state: str) -> Failure:
        """Why the whole came to `state`: how many items did, and the first of them in its own words."""
        bad = {index: row for index, row in self._bad.items() if row.state == state}
        first = bad[min(bad)]
        failure = first.failure or Failure("internal", "it gave no reason")
        verb = "failed" if state == "failed" else "ended with nobody knowing how"
        return replace(
            failure,
            message=f"{len(bad)} of {len(self.items)} items {verb}; the first, {first.key}: {failure.message}",
            details={"items": [bad[index].key for index in sorted(bad)[:100]]},
        )
