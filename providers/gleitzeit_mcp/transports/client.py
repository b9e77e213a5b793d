"""The HTTP client of one connection: its limits, and requests that never leave the origin they were meant for."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import anyio
import httpx2

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import GleitzeitError
from gleitzeit_mcp.transports.breaks import lost, odd, unreachable
from gleitzeit_mcp.transports.messages import LARGEST, too_large
from gleitzeit_mcp.transports.refusals import Refusal, seconds_of
from gleitzeit_mcp.transports.remote import Remote, shown_url

CONNECT_LIMIT = 15.0
_WRITE_LIMIT = 60.0
_MOST_REDIRECTS = 5
_READ_OF_REFUSAL = 64 * 1024
_REFUSAL_LIMIT = 5.0
_DEEPEST_WORDS = 5
# Shorter than what servers commonly keep (uvicorn and Node: 5), for a connection that is being closed by the other
# end while a request is written to it breaks that request, ambiguously.
_KEPT_IDLE = 4.0
_KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPALIVE": 60, "TCP_KEEPINTVL": 15, "TCP_KEEPCNT": 4}

_NOT_SENT = (
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
    httpx2.InvalidURL,
    httpx2.TooManyRedirects,
)
BROKEN = (httpx2.HTTPError, httpx2.StreamError, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError)


class _Shown(logging.Filter):
    """Keeps out of the log of the HTTP client what may be secret in a URL."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(shown_url(str(each)) if isinstance(each, httpx2.URL) else each for each in record.args)
        return True


logging.getLogger("httpx2").addFilter(_Shown())


def open_client(headers: Mapping[str, str], auth: httpx2.Auth | None = None) -> httpx2.AsyncClient:
    """A client that waits for an answer as long as it takes, with the proxies and authorities of the environment."""
    return httpx2.AsyncClient(
        headers=headers,
        auth=auth,
        timeout=httpx2.Timeout(None, connect=CONNECT_LIMIT, write=_WRITE_LIMIT),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=_KEPT_IDLE),
    )


@asynccontextmanager
async def answer(
    client: httpx2.AsyncClient,
    method: str,
    url: str,
    headers: Mapping[str, str] | None = None,
    content: bytes | None = None,
) -> AsyncGenerator[httpx2.Response]:
    """The answer to one request, its body still to be read; a redirect is followed within the same origin alone."""
    request = client.build_request(method, url, headers=headers, content=content, extensions={"trace": _keep_alive})
    for _ in range(_MOST_REDIRECTS):
        response = await client.send(request, stream=True, follow_redirects=False)
        onward = _onward(response)
        if onward is None:
            break
        await response.aclose()
        request = onward
    else:
        raise httpx2.TooManyRedirects("it redirects in a circle", request=request)
    try:
        yield response
    finally:
        await response.aclose()


@contextmanager
def translated(remote: Remote) -> Generator[None]:
    """Raises what goes wrong within as errors of Gleitzeit, for no answer may end more than its request."""
    try:
        yield
    except GleitzeitError:
        raise
    except _NOT_SENT as error:
        raise unreachable(remote, error) from error
    except BROKEN as error:
        raise (unreachable if _went_elsewhere(remote, error) else lost)(remote, error) from error
    except Exception as error:
        raise odd(remote, error) from error


async def body_of(remote: Remote, response: httpx2.Response) -> bytes:
    """The whole body. Raises `LimitError` where it is larger than a message may be."""
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > LARGEST:
            raise too_large(server=remote.name)
    return bytes(body)


async def refusal_of(remote: Remote, response: httpx2.Response, body: bytes | None = None) -> Refusal:
    """What a response that is no success says, from the start of its body too where that is meant for reading."""
    said = await start_of(response) if body is None else body
    onward = response.next_request
    return Refusal(
        status=response.status_code,
        retry_after=seconds_of(response.headers.get("retry-after")),
        location=remote.redact(shown_url(str(onward.url))) if onward else None,
        words=remote.quoted(_words(response, said)),
    )


async def start_of(response: httpx2.Response) -> bytes:
    """As much of a body as is worth reading for what it explains."""
    body = bytearray()
    with anyio.move_on_after(_REFUSAL_LIMIT):
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) >= _READ_OF_REFUSAL:
                break
    return bytes(body)


def media_type(response: httpx2.Response) -> str:
    """The content type without its parameters."""
    content_type: str = response.headers.get("content-type", "")
    return content_type.partition(";")[0].strip().lower()


def json_in(body: bytes) -> Any:
    """The value that a body holds as JSON; nothing where it holds none."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    """Whom a URL leads to, whatever is asked for there."""
    return url.scheme, url.host, url.port


def _words(response: httpx2.Response, body: bytes) -> str:
    if media_type(response) == "text/plain":
        return body.decode("utf-8", "replace")
    if media_type(response) not in ("application/json", "application/problem+json"):
        return ""
    return _first_text(json_in(body))


def _first_text(value: Any, depth: int = 0) -> str:
    if not is_object(value) or depth == _DEEPEST_WORDS:
        return ""
    keys = ("error_description", "message", "detail", "error", "title")
    found = (value[key] for key in keys if value.get(key))
    return next((item if isinstance(item, str) else _first_text(item, depth + 1) for item in found), "")


def _onward(response: httpx2.Response) -> httpx2.Request | None:
    """The same request again, where a redirect asks for it without leaving its origin or dropping its body."""
    onward = response.next_request
    sent = response.request
    if onward is None or onward.method != sent.method or origin(onward.url) != origin(sent.url):
        return None
    return onward if onward.url.userinfo in (b"", sent.url.userinfo) else None


def _went_elsewhere(remote: Remote, error: BaseException) -> bool:
    """Whether the request that broke was one for a token, on the way to the server's own."""
    if not isinstance(error, httpx2.RequestError):
        return False
    try:
        return origin(error.request.url) != origin(httpx2.URL(remote.url))
    except RuntimeError:  # an error that knows of no request
        return False


async def _keep_alive(event: str, info: Mapping[str, Any]) -> None:
    """Let the system find out that the other end is dead while an answer is waited for."""
    if event != "connection.connect_tcp.complete":
        return
    connected = info["return_value"].get_extra_info("socket")
    if connected is None:
        return
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE.items():
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
