"""Folders that a server may work in, offered to it as MCP roots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


class OfferedRoots:
    """Answers a server that asks for the roots, `~` and relative paths resolved; `asked` once it did."""

    def __init__(self, folders: Iterable[str]) -> None:
        paths = [Path(folder).expanduser().resolve() for folder in folders]
        self._roots = [{"uri": path.as_uri(), "name": path.name or str(path)} for path in paths]
        self.asked = False

    @property
    def listing(self) -> dict[str, Any]:
        """The result of `roots/list`."""
        return {"roots": self._roots}

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        """The answer to `roots/list`."""
        self.asked = True
        return self.listing
