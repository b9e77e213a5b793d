"""One request on its way from node to node."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gleitzeit_ollama.dispatch.base import Want


class Errand:
    """What has become of a request so far: who was asked, and which nodes failed since all of them were tried.

    `model` is its model's name as it was written; `waited` the seconds until the latest node took it, at `started`.
    """

    def __init__(self, payload: Mapping[str, Any], want: Want) -> None:
        self.want = want
        self.model = str(payload.get("model") or want.model)
        self.without: set[str] = set()
        self.tries = 0
        self.failures = 0
        self.pulled = False
        self.waited = 0.0
        self.lost: set[str] = set()
        # Ollama keeps the text of a tool call back until the call is whole.
        self.keeps_back = "tools" in payload
        # It fails as a whole, with status 500, where one of its texts is at fault.
        self.embeds = "input" in payload
        self.unloads = payload.get("keep_alive") in (0, 0.0, "0", "0s")
        self._entered = self.started = time.monotonic()

    def taken(self) -> None:
        """Count a node that is asked now."""
        self.tries += 1
        self.started = time.monotonic()
        self.waited = self.started - self._entered
