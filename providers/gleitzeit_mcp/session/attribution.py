"""`Attribution`: whose call a server's question belongs to."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import anyio

from gleitzeit_mcp.session.answering import Answering
from gleitzeit_mcp.session.errors import RefusedError
from gleitzeit_mcp.session.exchange import Exchange
from gleitzeit_mcp.transports.base import RequestId

_DOUBT_LIMIT = 2.0
_MOST_HELD = 64


class Attribution:
    """Gives what a server asks to the call that it can only belong to; in the older era nothing on the wire says so.

    It is the only call, or one of several of the same owner. While there is doubt the question is held back, for the
    other calls may end. `asks` once the server has asked anything.
    """

    def __init__(self, exchanges: Mapping[RequestId, Exchange], answering: Answering) -> None:
        self.asks = False
        self._exchanges = exchanges
        self._answering = answering
        self._held: deque[dict[str, Any]] = deque()

    def take(self, request: dict[str, Any]) -> None:
        """Take in a question, or a request for a model."""
        self.asks = True
        if len(self._held) >= _MOST_HELD:
            self._answering.soon(request, _unattributed)
            return
        self._held.append(request)
        self.reconsider()
        if request in self._held:
            self._answering.beside(self._doubt)

    def forget(self, request_id: Any) -> None:
        """The server does not want the answer any more."""
        for request in [request for request in self._held if request["id"] == request_id]:
            self._held.remove(request)

    def reconsider(self) -> None:
        """Look again at what is held back: a call has ended."""
        if not self._held:
            return
        candidates = [each for each in self._exchanges.values() if each.listener is not None and each.listener.answer]
        if len({each.listener.owner for each in candidates if each.listener}) == 1:
            while self._held:
                request = self._held.popleft()
                if not candidates[0].ask(request):
                    self._answering.soon(request, _too_much)
        elif not candidates or len(self._held) >= len(candidates):
            # All of them wait for an answer, so that the doubt will not go away by itself.
            while self._held:
                self._answering.soon(self._held.popleft(), _unattributed)

    async def _doubt(self) -> None:
        """Give up after a while: a server that does one thing at a time ends no other call before this one."""
        held = tuple(self._held)
        await anyio.sleep(_DOUBT_LIMIT)
        for request in held:
            if request in self._held:
                self._held.remove(request)
                self._answering.soon(request, _unattributed)


async def _too_much(request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(f"{request['method']}: the call has too many questions already")


async def _unattributed(request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(
        f"{request['method']}: several calls are under way, and nothing says which of them this is for; "
        "from now on this client makes one call at a time"
    )
