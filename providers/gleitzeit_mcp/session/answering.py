"""Answering what a server asks by itself, beside the calls that are under way."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError
from gleitzeit_mcp.session.errors import INTERNAL_ERROR, RefusedError
from gleitzeit_mcp.transports.base import Message, RequestId

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_MOST_AT_ONCE = 64
_MOST_REFUSED = 1_000


class Answering:
    """Carries out requests of a server and tells it what came of them; the server may cancel each.

    Of more than it carries out at once the rest is refused, by one task that takes them in turn.
    """

    def __init__(self, send: Callable[[Message], Awaitable[None]]) -> None:
        self._send = send
        self._tasks: TaskGroup | None = None
        self._scopes: dict[RequestId, anyio.CancelScope] = {}
        self._under_way = 0
        self._refused: deque[dict[str, Any]] = deque(maxlen=_MOST_REFUSED)

    def open(self, tasks: TaskGroup) -> None:
        """From now on answer in `tasks`."""
        self._tasks = tasks

    def beside(self, function: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something in the tasks that answer."""
        if self._tasks is not None:
            self._tasks.start_soon(function)

    def soon(self, request: dict[str, Any], handler: Handler) -> None:
        """Answer a request in a task of its own."""
        if self._tasks is None:
            return
        if self._under_way < _MOST_AT_ONCE:
            self._under_way += 1
            self._tasks.start_soon(self._aside, request, handler)
            return
        self._refused.append(request)
        if len(self._refused) == 1:
            self._tasks.start_soon(self._refuse)

    async def now(self, request: dict[str, Any], handler: Handler) -> None:
        """Answer a request in this task; one that the server has cancelled gets no answer."""
        identity, answer = request["id"], None
        with anyio.CancelScope() as scope:
            answer = await self._carried_out(identity, request, handler, scope)
        if answer is not None:
            try:
                await self._send({"jsonrpc": "2.0", "id": identity, **answer})
            except ConnectionLostError:
                return

    def cancel(self, request_id: Any) -> None:
        """The server does not want the answer any more."""
        scope = self._scopes.get(request_id) if isinstance(request_id, int | str) else None
        if scope is not None:
            scope.cancel()

    def cancel_all(self) -> None:
        """Nobody is there to be answered."""
        for scope in self._scopes.values():
            scope.cancel()

    async def _carried_out(
        self, identity: Any, request: dict[str, Any], handler: Handler, scope: anyio.CancelScope
    ) -> dict[str, Any]:
        known = isinstance(identity, int | str)
        if known:
            self._scopes[identity] = scope
        try:
            return {"result": await handler(request)}
        except RefusedError as refusal:
            return {"error": {"code": refusal.code, "message": refusal.message}}
        except GleitzeitError as error:
            return {"error": {"code": INTERNAL_ERROR, "message": error.message}}
        finally:
            if known and self._scopes.get(identity) is scope:
                del self._scopes[identity]

    async def _aside(self, request: dict[str, Any], handler: Handler) -> None:
        try:
            await self.now(request, handler)
        finally:
            self._under_way -= 1

    async def _refuse(self) -> None:
        while self._refused:
            await self.now(self._refused[0], _too_many)
            self._refused.popleft()


async def _too_many(_request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(f"this client answers {_MOST_AT_ONCE} requests at once, and no more")
