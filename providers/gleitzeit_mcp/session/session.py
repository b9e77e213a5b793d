"""`Session`: JSON-RPC over one connection, as the client that also answers.

Results are handed over as they came, without a model in between: nothing of them is lost, and nothing that a sloppy
server sends can break more than the request it belongs to.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeGuard

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core import errors
from gleitzeit.core.data import is_mapping, is_object
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError
from gleitzeit_mcp.session.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, RefusedError, RemoteError
from gleitzeit_mcp.session.exchange import Exchange, Listener
from gleitzeit_mcp.transports.base import Message, RequestId, Wire

_CANCEL_LIMIT = 1.0
_MOST_ASKED = 64
_DOUBT_LIMIT = 2.0

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
Headers = Callable[[str, Mapping[str, Any]], Mapping[str, str]]


class Session:
    """Sends requests and matches what comes in; `run` has to be running for what the server asks by itself.

    `handlers` answer requests of the server that need nobody's call; `notified` is told of its notifications, in order
    and without waiting; `lost` is set once nothing more comes.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler] | None = None,
        notified: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.lost = anyio.Event()
        self.heard = 0.0
        self.strays = 0
        self.asks = False
        self.stamp: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        self.headers: Headers | None = None
        self._handlers = handlers or {}
        self._notified = notified
        self._wire: Wire | None = None
        self._tasks: TaskGroup | None = None
        self._next_id = 0
        self._open: dict[RequestId, Exchange] = {}
        self._answering = 0
        self._first: RequestId | None = None
        self._held: deque[dict[str, Any]] = deque()
        self._cancelled: dict[RequestId, anyio.CancelScope] = {}

    def open(self, wire: Wire, tasks: TaskGroup) -> None:
        """From now on send by `wire`, and answer what the server asks in `tasks`."""
        self._wire, self._tasks = wire, tasks

    @property
    def occupied(self) -> bool:
        """Whether the server may just be busy: the first request that it got since it was last heard is still open."""
        return self._first in self._open

    async def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        listener: Listener | None = None,
        timeout: float | None = None,
        request_id: RequestId | None = None,
        cancellable: bool = True,
    ) -> dict[str, Any]:
        """Send a request and return its result, in its wire form.

        A request that is given up is cancelled in the server. Raises `RemoteError` with what the server answered,
        `ConnectionLostError` where it may have been carried out, `TimeoutError` after `timeout` seconds.
        """
        exchange = Exchange(listener)
        identity = self._identity(request_id)
        self._open[identity] = exchange
        try:
            with anyio.move_on_after(timeout) as exchange.limit:
                return await self._exchanged(method, params, identity, exchange)
            raise errors.TimeoutError(f"no answer within {timeout:g} s")
        finally:
            del self._open[identity]
            if not exchange.over and exchange.written and cancellable:
                await self._cancel(identity)
            self._reconsider()

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a notification; where nobody is there any more it is dropped."""
        sent = params if self.stamp is None or params is None else self.stamp(method, dict(params))
        try:
            await self._send({"jsonrpc": "2.0", "method": method, **({} if sent is None else {"params": sent})})
        except ConnectionLostError:
            return

    def received(self, message: dict[str, Any]) -> None:
        """Take in one message."""
        self.heard, self._first = anyio.current_time(), None
        method = message.get("method")
        if not isinstance(method, str):
            self._settle(message)
        elif "id" in message:
            self._asked(message)
        else:
            params = message.get("params")
            self._told(method, params if is_object(params) else {})

    def failed(self, request_id: RequestId, error: GleitzeitError) -> None:
        """Take in that a request will get no answer."""
        exchange = self._open.get(_plain(request_id))
        if exchange is not None:
            exchange.settle(error)

    def ended(self) -> None:
        """Take in that nothing more comes: whatever was sent may have been carried out."""
        self.lost.set()
        for exchange in self._open.values():
            exchange.settle(ConnectionLostError("the connection broke during the call"))
        for scope in self._cancelled.values():
            scope.cancel()

    def _identity(self, given: RequestId | None) -> RequestId:
        if given is not None:
            return given
        self._next_id += 1
        return self._next_id

    async def _exchanged(
        self, method: str, params: Mapping[str, Any] | None, identity: RequestId, exchange: Exchange
    ) -> dict[str, Any]:
        message = self._framed(method, params, identity, exchange)
        exchange.written = True  # from the first byte on it may be carried out
        self._first = identity if self._first is None else self._first
        await self._send(message, self.headers(method, message["params"]) if self.headers else None)
        while True:
            await exchange.changed.wait()
            await self._attend(exchange)
            if exchange.over:
                result = exchange.result()
                if not is_object(result):
                    raise ProviderError(f"the result is no JSON object but {str(result)[:100]}", retryable=False)
                return result

    def _framed(
        self, method: str, params: Mapping[str, Any] | None, identity: RequestId, exchange: Exchange
    ) -> dict[str, Any]:
        sent = dict(params or {})
        if exchange.listener is not None and exchange.listener.report is not None:
            sent["_meta"] = {**sent.get("_meta", {}), "progressToken": identity}
        if self.stamp is not None:
            sent = self.stamp(method, sent)
        message: dict[str, Any] = {"jsonrpc": "2.0", "id": identity, "method": method}
        if sent or self.headers is not None:
            message["params"] = sent
        return message

    async def _attend(self, exchange: Exchange) -> None:
        """Do what has come before the answer, in the task of whoever waits for it."""
        listener = exchange.listener
        exchange.changed = anyio.Event()
        while exchange.reports and listener is not None and listener.report is not None:
            await listener.report(*exchange.reports.popleft())
        while exchange.asked and listener is not None and listener.answer is not None:
            with exchange.suspended():  # how long a person thinks is not the server's fault
                await self._answered(exchange.asked.popleft(), listener.answer)
        if exchange.over:
            exchange.changed.set()

    async def _send(self, message: Message, headers: Mapping[str, str] | None = None) -> None:
        if self._wire is None or self.lost.is_set():
            raise ConnectionLostError("the connection is closed", ambiguous=False)
        await self._wire.send(message, headers)

    async def _cancel(self, identity: RequestId) -> None:
        params = {"requestId": identity, "reason": "the caller does not wait any more"}
        with anyio.move_on_after(_CANCEL_LIMIT, shield=True):
            await self.notify("notifications/cancelled", params)

    def _settle(self, message: dict[str, Any]) -> None:
        identity = message.get("id")
        exchange = self._open.get(_plain(identity)) if isinstance(identity, int | str) else None
        if exchange is None or exchange.over:
            self.strays += 1
        elif message.get("error") is not None or "result" not in message:
            exchange.settle(_remote(message.get("error")))
        else:
            exchange.settle(message.get("result"))

    def _told(self, method: str, params: dict[str, Any]) -> None:
        if method == "notifications/progress":
            self._progress(params)
        elif method == "notifications/cancelled":
            cancelled = params.get("requestId")
            scope = self._cancelled.get(cancelled) if isinstance(cancelled, int | str) else None
            if scope is not None:
                scope.cancel()
        elif method == "notifications/message":
            self._logged(params)
        elif self._notified is not None:
            self._notified(method, params)

    def _logged(self, params: dict[str, Any]) -> None:
        """Give what the server logs to the one call that is under way; of several, nobody knows which it is about."""
        listeners = [each.listener for each in self._open.values() if each.listener is not None and each.listener.log]
        if len(listeners) == 1 and listeners[0].log is not None:
            listeners[0].log(params)

    def _progress(self, params: Mapping[str, Any]) -> None:
        token, progress, total, message = (params.get(key) for key in ("progressToken", "progress", "total", "message"))
        exchange = self._open.get(_plain(token)) if isinstance(token, int | str) else None
        if exchange is not None and _is_number(progress):
            exchange.report(
                (progress, total if _is_number(total) else None, message if isinstance(message, str) else None)
            )

    def _asked(self, request: dict[str, Any]) -> None:
        """Find who answers: nobody's call, or the one call that it can only belong to."""
        method = request["method"]
        if method in self._handlers:
            self._answer_soon(request, self._handlers[method])
        elif method in ("elicitation/create", "sampling/createMessage"):
            self.asks = True
            self._held.append(request)
            self._reconsider()
            if self._held and self._tasks is not None:
                self._tasks.start_soon(self._doubt)
        else:
            self._answer_soon(request, _unknown)

    def _reconsider(self) -> None:
        """Give what the server asks to the call that it belongs to, as soon as that is beyond doubt.

        Nothing on the wire says so: it is the only call, or one of several of the same owner.
        """
        if not self._held:
            return
        candidates = [each for each in self._open.values() if each.listener is not None and each.listener.answer]
        if len({each.listener.owner for each in candidates if each.listener}) == 1:
            while self._held:
                candidates[0].ask(self._held.popleft())
        elif not candidates or len(self._held) >= len(candidates):
            # All of them wait for an answer, so that doubt will not go away by itself.
            while self._held:
                self._answer_soon(self._held.popleft(), _unattributed)

    async def _doubt(self) -> None:
        """Give up after a while: a server that does one thing at a time ends no other call before this one."""
        held = tuple(self._held)
        await anyio.sleep(_DOUBT_LIMIT)
        for request in held:
            if request in self._held:
                self._held.remove(request)
                self._answer_soon(request, _unattributed)

    def _answer_soon(self, request: dict[str, Any], handler: Handler) -> None:
        if self._tasks is None or self._answering >= _MOST_ASKED:
            return
        self._answering += 1
        self._tasks.start_soon(self._answer_aside, request, handler)

    async def _answer_aside(self, request: dict[str, Any], handler: Handler) -> None:
        try:
            await self._answered(request, handler)
        finally:
            self._answering -= 1

    async def _answered(self, request: dict[str, Any], handler: Handler) -> None:
        identity = request["id"]
        answer: dict[str, Any] | None = None
        with anyio.CancelScope() as scope:
            if isinstance(identity, int | str):
                self._cancelled[identity] = scope
            try:
                answer = {"result": await handler(request)}
            except RefusedError as refusal:
                answer = {"error": {"code": refusal.code, "message": refusal.message}}
            except GleitzeitError as error:
                answer = {"error": {"code": INTERNAL_ERROR, "message": error.message}}
            finally:
                self._cancelled.pop(identity, None) if isinstance(identity, int | str) else None
        if answer is not None:
            try:
                await self._send({"jsonrpc": "2.0", "id": identity, **answer})
            except ConnectionLostError:
                return


async def _unknown(request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(f"this client has no method {request['method']}", METHOD_NOT_FOUND)


async def _unattributed(request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(
        f"{request['method']}: several calls are under way, and nothing says which of them this is for; "
        "from now on this client makes one call at a time"
    )


def _plain(identity: RequestId) -> RequestId:
    """An id as it was sent, for some servers give numbers back as text."""
    if isinstance(identity, str) and identity.isascii() and identity.isdigit() and len(identity) < 19:
        return int(identity)
    return identity


def _remote(error: Any) -> RemoteError:
    if not is_mapping(error):
        return RemoteError(INTERNAL_ERROR, f"an error without a description: {str(error)[:200]}")
    code, message = error.get("code"), error.get("message")
    return RemoteError(
        code if isinstance(code, int) else INTERNAL_ERROR,
        message if isinstance(message, str) and message else "no reason given",
        error.get("data"),
    )


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
