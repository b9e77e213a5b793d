"""One request over HTTP, until its answer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import anyio
import httpx2

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import GleitzeitError, ProviderError
from gleitzeit_mcp.transports.base import Message, Receiver, RequestId
from gleitzeit_mcp.transports.client import BROKEN, body_of
from gleitzeit_mcp.transports.feed import Feed
from gleitzeit_mcp.transports.marks import Marks
from gleitzeit_mcp.transports.messages import deliver, encoded
from gleitzeit_mcp.transports.remote import Remote

_END_OF_STREAM = 0.5
"""Seconds for a stream to end after the answer, so that its connection can be used again."""


class Post:
    """A request that was posted. What comes back passes through it to the receiver, and `scope` ends it.

    Whatever is an answer in the response to a request is the answer to that request. `junk` is called for each event
    that is no message.
    """

    def __init__(
        self, message: Message, remote: Remote, marks: Marks, receiver: Receiver, junk: Callable[[], None]
    ) -> None:
        self.id: RequestId = message["id"]
        self.method: str = message["method"]
        self.body = encoded(message)
        self.modern = marks.modern
        self.scope = anyio.CancelScope()
        self.feed = Feed(remote)
        self.answered = False
        self._remote = remote
        self._marks = marks
        self._receiver = receiver
        self._junk = junk

    @property
    def resumable(self) -> bool:
        """Whether its stream can be taken up again where it broke."""
        return not self.answered and not self.modern and bool(self.feed.last_id)

    async def read_body(self, response: httpx2.Response) -> None:
        """Take the answer from a JSON body."""
        if not deliver(await body_of(self._remote, response), self):
            raise ProviderError(
                "its answer is not a message of JSON-RPC",
                retryable=False,
                details={"server": self._remote.name},
            )

    async def read_events(self, response: httpx2.Response) -> None:
        """Take messages from an event stream until the answer, or until the stream ends."""
        async with aclosing(self.feed.events(response)) as events:
            async for event in events:
                if event.event == "message" and event.data and not deliver(event.data.encode(), self):
                    self._junk()
                if self.answered:
                    break
            with anyio.move_on_after(_END_OF_STREAM), suppress(*BROKEN, GleitzeitError):
                async for _ in events:
                    pass

    def received(self, message: dict[str, Any]) -> None:
        """Pass on a message, an answer with the id of this request."""
        if "method" in message:
            self._receiver.received(message)
        elif not self.answered:
            self._learn(message.get("result"))
            self._receiver.received({**message, "id": self.id})
            self.answered = True

    def failed(self, request_id: RequestId, error: GleitzeitError) -> None:
        """There is no answer, or none that can be read."""
        del request_id
        if not self.answered:
            self.answered = True
            self._receiver.failed(self.id, error)

    def ended(self) -> None:
        """A post ends with its answer; only a connection has an end of its own."""

    def _learn(self, result: Any) -> None:
        """Keep the version that a handshake settled on, for the messages that follow."""
        if self.method == "initialize" and is_object(result) and isinstance(result.get("protocolVersion"), str):
            self._marks.version = result["protocolVersion"]
