"""`MemoryAudit`: keeps its lines for whoever looks at them, as tests do."""

from __future__ import annotations

import json
from typing import Any

from gleitzeit.audit.base import Audit, Entry
from gleitzeit.audit.line import line_of
from gleitzeit.core.errors import UnrecordedError


class MemoryAudit(Audit):
    """`lines` are those that a file would have; one that is `full` takes no more."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.full = False

    async def record(self, entry: Entry) -> None:
        """Keep it. Raises `UnrecordedError` where it is full."""
        if self.full:
            raise UnrecordedError("the audit log can't be written")
        self.note(entry)

    def note(self, entry: Entry) -> None:
        """Keep it, if there is room."""
        if not self.full:
            self.lines.append(json.loads(line_of(entry)))

    async def settled(self) -> None:
        """Return at once."""
