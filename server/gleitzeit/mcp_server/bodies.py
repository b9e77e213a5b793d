"""What the body of a request may be: the SDK reads all that it gets, whatever that takes in memory."""

from __future__ import annotations

from collections import deque

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gleitzeit.mcp_server.frames import MOST_VALUES, is_bomb

_TOO_MANY = f"a message has at most {MOST_VALUES:,} values"
_NO_UTF_8 = "a message has to be JSON in UTF-8"


class Bodies:
    """Takes each message whole, and passes on only what is small enough once it is read.

    One of more than `most` bytes is left to the SDK, which counts them.
    """

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say what is wrong with its body."""
        if scope["method"] != "POST" or _is_long(Request(scope), self._most):
            await self._app(scope, receive, send)
            return
        taken = await _taken(receive, self._most)
        body = b"".join(message.get("body", b"") for message in taken)
        refusal = _refusal(body) if len(body) <= self._most else None
        await (refusal or self._app)(scope, _again(taken, receive), send)


def _is_long(request: Request, most: int) -> bool:
    length = request.headers.get("content-length", "")
    return length.isdecimal() and (len(length) > len(str(most)) or int(length) > most)


async def _taken(receive: Receive, most: int) -> deque[Message]:
    """The messages that a body has come in, up to its end, or to where it is too long."""
    taken, size = deque[Message](), 0
    while True:
        message = await receive()
        taken.append(message)
        size += len(message.get("body", b""))
        if not message.get("more_body", False) or size > most:
            return taken


def _refusal(body: bytes) -> Response | None:
    if b"\0" in body:  # of UTF-16, in which Python reads JSON too, nobody has counted the values
        return PlainTextResponse(_NO_UTF_8, 400)
    return PlainTextResponse(_TOO_MANY, 413) if is_bomb(body) else None


def _again(taken: deque[Message], receive: Receive) -> Receive:
    async def receive_again() -> Message:
        return taken.popleft() if taken else await receive()

    return receive_again
