"""`Unwatched`: the audit of a configuration that asks for none."""

from __future__ import annotations

from gleitzeit.audit.base import Audit, Entry


class Unwatched(Audit):
    """Writes nothing."""

    active = False

    async def record(self, entry: Entry) -> None:
        """Return at once."""

    def note(self, entry: Entry) -> None:
        """Forget it."""

    async def settled(self) -> None:
        """Return at once."""


UNWATCHED = Unwatched()
