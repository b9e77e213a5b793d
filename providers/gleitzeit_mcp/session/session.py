"""`Session`: JSON-RPC over one connection, as the client that also answers.

Results are handed over as they came, without a model in between: nothing of them is lost, and nothing that a sloppy
server sends can break more than the request it belongs to.
"""

from __future__ import annotations

import asyncio  # its clock, which is anyio's: asking for it takes five calls
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.data import is_mapping, is_object
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError
from gleitzeit_mcp.session.answering import Answering, Handler
from gleitzeit_mcp.session.attribution import Attribution
from gleitzeit_mcp.session.errors import INTERNAL_ERROR, METHOD_NOT_FOUND, RefusedError, RemoteError
from gleitzeit_mcp.session.exchange import Exchange, Listener
from gleitzeit_mcp.session.numbers import is_finite
from gleitzeit_mcp.transports.base import Message, RequestId, Wire

_CANCEL_LIMIT = 1.0
_OF_A_CALL = ("elicitation/create", "sampling/createMessage")

Headers = Callable[[str, Mapping[str, Any]], Mapping[str, str]]


class Session:
    """Sends requests and matches what comes in; `open` has to be called before anything else.

    `handlers` answer requests of the server that need nobody's call; `notified` is told of its notifications, in order
    and without waiting.
    """

    def __init__(
        self,
        handlers: Mapping[str, Handler] | None = None,
        notified: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self._lost = anyio.Event()
        self.heard = 0.0
        self.stamp: Callable[[str, dict[str, Any]], dict[str, Any]] | None = None
        self.headers: Headers | None = None
        self._handlers = handlers or {}
        self._notified = notified
        self._wire: Wire | None = None
        self._next_id = 0
        self._open: dict[RequestId, Exchange] = {}
        self._first: RequestId | None = None
        self._answering = Answering(self._send)
        self._attribution = Attribution(self._open, self._answering)

    def open(self, wire: Wire, tasks: TaskGroup) -> None:
        """From now on send by `wire`, and answer what the server asks in `tasks`."""
        self._wire = wire
        self._answering.open(tasks)

    def is_over(self) -> bool:
        """Whether nothing more comes."""
        return self._lost.is_set()

    async def over(self) -> None:
        """Return once nothing more comes."""
        await self._lost.wait()

    @property
    def asks(self) -> bool:
        """Whether the server has asked for something while calls were under way."""
        return self._attribution.asks

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
        exchange = Exchange(listener, timeout)
        identity = self._identity(request_id)
        self._open[identity] = exchange
        try:
            return await self._exchanged(method, params, identity, exchange)
        finally:
            del self._open[identity]
            exchange.stop()
            if not exchange.settled and exchange.written and cancellable:
                await self._cancel(identity)
            self._attribution.reconsider()

    async def notify(self, method: str, params: Mapping[str, Any] | None = None) -> None:
        """Send a notification; where nobody is there any more it is dropped."""
        sent = params if self.stamp is None or params is None else self.stamp(method, dict(params))
        try:
            await self._send({"jsonrpc": "2.0", "method": method, **({} if sent is None else {"params": sent})})
        except ConnectionLostError:
            return

    def received(self, message: dict[str, Any]) -> None:
        """Take in one message."""
        self.heard, self._first = asyncio.get_running_loop().time(), None
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
        self._lost.set()
        for exchange in self._open.values():
            exchange.settle(ConnectionLostError("the connection broke during the call"))
        self._answering.cancel_all()

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
        sending = self._sending(message, self.headers(method, message["params"]) if self.headers else None)
        if sending is not None:
            with exchange.limited():
                await sending
        while True:
            await exchange.news()
            if not exchange.over or exchange.reports or exchange.asked:
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
        with exchange.limited():
            while exchange.reports and listener is not None and listener.report is not None:
                await listener.report(*exchange.reports.popleft())
        while exchange.asked and not exchange.over and listener is not None and listener.answer is not None:
            # How long a person thinks is not the server's fault; once it has answered, it needs to know no more.
            with exchange.suspended(), exchange.answering():
                await self._answering.now(exchange.asked.popleft(), listener.answer)

    async def _send(self, message: Message) -> None:
        sending = self._sending(message)
        if sending is not None:
            await sending

    def _sending(self, message: Message, headers: Mapping[str, str] | None = None) -> Awaitable[None] | None:
        if self._wire is None or self.is_over():
            raise ConnectionLostError("the connection is closed", ambiguous=False)
        return self._wire.send(message, headers)

    async def _cancel(self, identity: RequestId) -> None:
        params = {"requestId": identity, "reason": "the caller does not wait any more"}
        with anyio.move_on_after(_CANCEL_LIMIT, shield=True):
            await self.notify("notifications/cancelled", params)

    def _settle(self, message: dict[str, Any]) -> None:
        identity = message.get("id")
        exchange = self._open.get(_plain(identity)) if isinstance(identity, int | str) else None
        if exchange is None or exchange.over:
            return  # it answers nothing, or too late
        if message.get("error") is not None or "result" not in message:
            exchange.settle(_remote(message.get("error")))
        else:
            exchange.settle(message.get("result"))

    def _told(self, method: str, params: dict[str, Any]) -> None:
        if method == "notifications/progress":
            self._progress(params)
        elif method == "notifications/cancelled":
            self._forget(params.get("requestId"))
        elif method == "notifications/message":
            self._logged(params)
        elif self._notified is not None:
            self._notified(method, params)

    def _forget(self, request_id: Any) -> None:
        self._answering.cancel(request_id)
        self._attribution.forget(request_id)
        for exchange in self._open.values():
            exchange.forget(request_id)

    def _logged(self, params: dict[str, Any]) -> None:
        """Give what the server logs to the one call that is under way; of several, nobody knows which it is about."""
        listeners = [each.listener for each in self._open.values() if each.listener is not None and each.listener.log]
        if len(listeners) == 1 and listeners[0].log is not None:
            listeners[0].log(params)

    def _progress(self, params: Mapping[str, Any]) -> None:
        token, progress, total, message = (params.get(key) for key in ("progressToken", "progress", "total", "message"))
        exchange = self._open.get(_plain(token)) if isinstance(token, int | str) else None
        if exchange is not None and is_finite(progress):
            exchange.report(
                (progress, total if is_finite(total) else None, message if isinstance(message, str) else None)
            )

    def _asked(self, request: dict[str, Any]) -> None:
        """Find who answers: nobody's call, or the one call that it can only belong to."""
        method = request["method"]
        if method in _OF_A_CALL:
            self._attribution.take(request)
        else:
            self._answering.soon(request, self._handlers.get(method, _unknown))


async def _unknown(request: dict[str, Any]) -> dict[str, Any]:
    raise RefusedError(f"this client has no method {request['method']}", METHOD_NOT_FOUND)


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
