"""`UrlTransport`: what the transports over HTTP have in common."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from gleitzeit_mcp.transports.base import Transport
from gleitzeit_mcp.transports.remote import Remote


class UrlTransport(Transport):
    """A server that is reached by HTTP at a URL, with headers and credentials."""

    def __init__(
        self, remote: Remote, headers: Mapping[str, str] | None = None, auth: httpx2.Auth | None = None
    ) -> None:
        self.junk = 0
        self._remote = remote
        self._headers = headers or {}
        self._auth = auth
        self._fault = ""

    def diagnosis(self) -> str:
        """Where it is, and why it is gone."""
        return f"its url is {self._remote.place}" + (f"; {self._fault}" if self._fault else "")

    def _count_junk(self) -> None:
        self.junk += 1
