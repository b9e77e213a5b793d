"""An event stream, over as many connections as it takes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import httpx2

from gleitzeit_mcp.transports.messages import LARGEST, too_large
from gleitzeit_mcp.transports.remote import Remote

_SHORTEST_PAUSE = 0.1
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 30.0
_LONGEST_ASKED_FOR = 600.0


class Feed:
    """Reads events, and knows where the stream is taken up again when it broke."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._retry = _FIRST_PAUSE
        self.last_id = ""

    async def events(self, response: httpx2.Response) -> AsyncGenerator[httpx2.ServerSentEvent]:
        """The events of one response. Raises `LimitError` at one that is larger than a message may be."""
        try:
            async for event in httpx2.EventSource(response, max_event_size=LARGEST):
                self.last_id = event.id or self.last_id
                if event.retry is not None:
                    self._retry = min(event.retry / 1000, _LONGEST_ASKED_FOR)
                yield event
        except httpx2.SSEError as error:
            self.last_id = ""  # the same event would only come again
            raise too_large(server=self._remote.name) from error

    def pause(self, failures: int) -> float:
        """Seconds until the next connection, more after each failure in a row."""
        return min(max(self._retry, _SHORTEST_PAUSE) * 2.0 ** min(failures, 8), max(_LONGEST_PAUSE, self._retry))
