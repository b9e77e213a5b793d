"""Folders that a server may work in, offered to it as MCP roots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcp.client import ClientRequestContext
from mcp_types import ListRootsResult, Root
from pydantic import FileUrl


class OfferedRoots:
    """Answers a server that asks for the roots, `~` and relative paths resolved; `asked` once it did."""

    def __init__(self, folders: Iterable[str]) -> None:
        paths = [Path(folder).expanduser().resolve() for folder in folders]
        self._roots = [Root(uri=FileUrl(path.as_uri()), name=path.name or str(path)) for path in paths]
        self.asked = False

    async def __call__(self, context: ClientRequestContext) -> ListRootsResult:
        """The answer to `roots/list`."""
        self.asked = True
        return ListRootsResult(roots=self._roots)
