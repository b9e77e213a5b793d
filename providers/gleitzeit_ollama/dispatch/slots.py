"""How many requests of a model a node answers at once, found out by trying where it is not configured."""

from __future__ import annotations

_FIRST_PATIENCE = 8
_LONGEST_PATIENCE = 512


class Slots:
    """The places of one model on one node: as many as configured, else as many as were seen at work together, plus one.

    The one more is a trial. Where its answer began only after another had ended there is no such place, and it is tried
    again after twice as many answers each time.
    """

    def __init__(self) -> None:
        self._seen = 1
        self._patience = _FIRST_PATIENCE
        self._answers_to_wait = 0

    def sure(self, configured: int | None) -> int:
        """How many are certain."""
        return self._seen if configured is None else configured

    def most(self, configured: int | None) -> int:
        """How many may be sent."""
        return self.sure(configured) + (configured is None and self._answers_to_wait == 0)

    def saw(self, together: int) -> None:
        """Learn that so many were answered at the same time."""
        if together > self._seen:
            self._seen = together
            self._patience = _FIRST_PATIENCE
            self._answers_to_wait = 0

    def overtaken(self) -> None:
        """Learn that one more had to wait."""
        self._answers_to_wait = self._patience
        self._patience = min(self._patience * 2, _LONGEST_PATIENCE)

    def answered(self) -> None:
        """Learn that an answer is complete."""
        self._answers_to_wait = max(self._answers_to_wait - 1, 0)
