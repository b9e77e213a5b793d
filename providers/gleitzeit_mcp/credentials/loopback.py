"""The page of this machine that a browser comes back to after a login."""

from __future__ import annotations

import logging
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import ByteStream, SocketAttribute
from mcp.shared.auth import AuthorizationCodeResult

from gleitzeit.core.errors import ConfigurationError, ProviderError

logger = logging.getLogger(__name__)

_PATH = "/callback"
_LARGEST_HEAD = 16 * 1024
_REQUEST_LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class _Reply:
    status: str
    text: str


_DONE = _Reply("200 OK", "You are logged in. You can close this page.")
_REFUSED = _Reply("200 OK", "The login was refused. You can close this page.")
_STRANGE = _Reply("400 Bad Request", "This is not the answer to the login that was begun here.")
_NOWHERE = _Reply("404 Not Found", "There is nothing here.")
_NO_METHOD = _Reply("405 Method Not Allowed", "Only GET.")


class Loopback:
    """Waits for one answer, known by its state; whatever else comes in is turned away and changes nothing."""

    def __init__(self, port: int) -> None:
        self._hosts = {f"127.0.0.1:{port}"}
        self.redirect_uri = f"http://127.0.0.1:{port}{_PATH}"
        self._state: str | None = None
        self._answer: dict[str, str] | None = None
        self._came = anyio.Event()

    def expect(self, authorization_url: str) -> None:
        """Take from the URL that is shown the state that its answer has to carry."""
        self._state = parse_qs(urlsplit(authorization_url).query).get("state", [None])[0]

    async def code(self) -> AuthorizationCodeResult:
        """The answer. Raises `ProviderError` where the login was refused."""
        await self._came.wait()
        answer = self._answer or {}
        if "code" not in answer:
            reason = answer.get("error_description") or answer.get("error") or "no code came back"
            words = "".join(char if char.isprintable() else " " for char in reason)[:200]
            raise ProviderError(f"the login was refused: {words}", retryable=False)
        return AuthorizationCodeResult(code=answer["code"], state=answer.get("state"), iss=answer.get("iss"))

    async def handle(self, stream: ByteStream) -> None:
        """Answer one request of a browser."""
        async with stream:
            with anyio.move_on_after(_REQUEST_LIMIT):
                try:
                    reply = self._reply(await _head(stream))
                    await stream.send(_rendered(reply))
                except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                    return  # the browser went away; it may come again
                except Exception:  # whoever asks, the login goes on
                    logger.warning("a request to the page of the login could not be answered", exc_info=True)

    def _reply(self, head: str) -> _Reply:
        lines = head.split("\r\n")
        method, _, rest = lines[0].partition(" ")
        try:
            target = urlsplit(rest.partition(" ")[0])
        except ValueError:
            return _NOWHERE
        hosts = {
            value.strip() for name, _, value in (line.partition(":") for line in lines[1:]) if name.lower() == "host"
        }
        if target.path != _PATH or hosts != self._hosts:
            return _NOWHERE
        if method != "GET":
            return _NO_METHOD
        return self._take({key: values[0] for key, values in parse_qs(target.query).items()})

    def _take(self, answer: dict[str, str]) -> _Reply:
        state = answer.get("state", "")
        if self._state is None or not secrets.compare_digest(state.encode(), self._state.encode()):
            return _STRANGE
        if self._answer is None:
            self._answer = answer
            self._came.set()
        return _DONE if "code" in self._answer else _REFUSED


@asynccontextmanager
async def listening(port: int = 0) -> AsyncGenerator[Loopback]:
    """A page on this machine alone, on any free port unless one is given, for as long as the block runs."""
    try:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
    except OSError as error:
        raise ConfigurationError(
            f"port {port} of 127.0.0.1, which the login comes back to, cannot be opened: {error.strerror}",
            hint="choose another oauth.redirect_port, or leave it out",
        ) from error
    loopback = Loopback(listener.extra_attributes[SocketAttribute.local_port]())
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, loopback.handle)
        try:
            yield loopback
        finally:
            tasks.cancel_scope.cancel()


async def _head(stream: ByteStream) -> str:
    head = b""
    while b"\r\n\r\n" not in head and len(head) <= _LARGEST_HEAD:
        head += await stream.receive()
    return head.partition(b"\r\n\r\n")[0].decode("latin-1")


def _rendered(reply: _Reply) -> bytes:
    page = f"<!doctype html><title>Gleitzeit</title><p>{reply.text}</p>".encode()
    head = (
        f"HTTP/1.1 {reply.status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(page)}\r\n"
        "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + page
