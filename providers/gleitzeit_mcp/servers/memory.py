"""`Memory`: what is known of a server beyond one connection, and beyond one life of the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio

from gleitzeit_mcp.catalog.manifest import Manifest, read_manifest, write_manifest
from gleitzeit_mcp.catalog.tools import Catalog, Tool, read_catalog
from gleitzeit_mcp.config import Server


class Memory:
    """The tools of a server as it last listed them, and how it has to be treated; kept in its manifest."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._manifest = read_manifest(server) or Manifest()
        self._catalog = read_catalog(server, self._manifest.tools)
        self.listed = False

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Its tools; while it has not been started yet, those that it had another time."""
        return self._catalog.tools

    @property
    def hidden(self) -> Sequence[str]:
        """The tools that it has, and that the configuration leaves out."""
        return self._catalog.hidden

    @property
    def asks(self) -> bool:
        """Whether it asks for something while a call is under way."""
        return self._manifest.asks

    @property
    def handshake_only(self) -> bool:
        """Whether it ends when it is asked for anything but `initialize` first, as some of the older era do."""
        return self._manifest.handshake

    def note_asking(self) -> None:
        """Remember that it asks."""
        if not self.asks:
            self._keep(replace(self._manifest, asks=True))

    def note_handshake_only(self, only: bool) -> None:
        """Remember whether it may be asked for nothing first."""
        if only != self.handshake_only:
            self._keep(replace(self._manifest, handshake=only))

    def forget_tools(self) -> None:
        """It has none, or does not tell."""
        self._catalog, self.listed = Catalog(), True

    async def take_in(self, entries: list[Any]) -> Mapping[str, str]:
        """Remember its list of tools, and return why some of them cannot be used."""
        self._catalog, self.listed = read_catalog(self._server, entries), True
        if list(self._manifest.tools) != entries:
            self._manifest = replace(self._manifest, tools=entries)
            await anyio.to_thread.run_sync(write_manifest, self._server, self._manifest)
        return self._catalog.dropped

    def _keep(self, manifest: Manifest) -> None:
        # At once, and not in a thread: it is noted where a call ends, perhaps by being cancelled, and nothing may be
        # waited for there. That happens once in the life of a server, and not with each of its connections.
        self._manifest = manifest
        write_manifest(self._server, manifest)
