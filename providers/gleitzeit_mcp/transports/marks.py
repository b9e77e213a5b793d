"""What tells the server which session and protocol version an HTTP request belongs to."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from gleitzeit.core.data import is_object
from gleitzeit_mcp.transports.base import Message
from gleitzeit_mcp.versions import PREFIX, is_modern

_SESSION, _VERSION, _METHOD, _LAST_EVENT = "mcp-session-id", "mcp-protocol-version", "mcp-method", "last-event-id"


class Marks:
    """The headers of one connection: they follow what was sent and answered last."""

    def __init__(self) -> None:
        self.session: str | None = None
        self.version: str | None = None

    @property
    def modern(self) -> bool:
        """Whether the requests are those of the era without sessions."""
        return is_modern(self.version)

    def of(self, message: Message, given: Mapping[str, str] | None) -> httpx2.Headers:
        """The headers of a message, with those that its sender gives it."""
        headers = httpx2.Headers(given)
        if message.get("method") == "initialize":
            self.version = None  # a version that was only asked about says nothing of the handshake
        else:
            enveloped = _enveloped(message)
            self.version = headers.get(_VERSION) or enveloped or self.version
            if enveloped is not None:
                headers.setdefault(_METHOD, message["method"])
        return self._marked(
            {"accept": "application/json, text/event-stream", "content-type": "application/json"}, headers
        )

    def of_stream(self, last_id: str = "") -> httpx2.Headers:
        """The headers of a request for a stream, after the event of that id."""
        after = {_LAST_EVENT: last_id} if last_id else {}
        return self._marked({"accept": "text/event-stream", "cache-control": "no-store"}, httpx2.Headers(after))

    def of_end(self) -> httpx2.Headers:
        """The headers of the request that ends the session."""
        return self._marked({}, httpx2.Headers())

    def _marked(self, first: Mapping[str, str], last: httpx2.Headers) -> httpx2.Headers:
        headers = httpx2.Headers(first)
        if self.session is not None:
            headers[_SESSION] = self.session
        if self.version is not None:
            headers[_VERSION] = self.version
        headers.update(last)
        return headers

    def learn(self, message_method: str, response: httpx2.Response) -> None:
        """Keep the session that the answer to a handshake names."""
        if message_method == "initialize":
            self.session = response.headers.get(_SESSION)


def _enveloped(message: Message) -> str | None:
    """The version that a request of the modern era names in its body."""
    params = message.get("params")
    meta = params.get("_meta") if is_object(params) else None
    version = meta.get(PREFIX + "protocolVersion") if is_object(meta) else None
    return version if isinstance(version, str) else None
