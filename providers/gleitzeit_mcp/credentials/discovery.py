"""Where a login may be led by what servers name, and how much they may answer on the way."""

from __future__ import annotations

from contextlib import aclosing
from ipaddress import IPv4Address, IPv6Address, ip_address

import anyio
import httpx2
from mcp.client.auth import OAuthFlowError
from mcp.client.auth.oauth2 import OAuthContext
from mcp.client.auth.utils import extract_resource_metadata_from_www_auth, issuers_match

from gleitzeit_mcp.config import OAuth
from gleitzeit_mcp.transports.client import origin

_LARGEST = 1024 * 1024
_BODY_LIMIT = 30.0
_LOOKUP_LIMIT = 10.0
_OF_THE_WIRE = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Discovery:
    """The requests of a login beside the one that it is for; each leads where some server said."""

    def __init__(self, url: str, oauth: OAuth) -> None:
        self._url = httpx2.URL(url)
        self._oauth = oauth
        self._named: httpx2.URL | None = None
        self._near: bool | None = None

    def challenged(self, response: httpx2.Response) -> None:
        """Take in what the server answered to the request that the login is for."""
        named = extract_resource_metadata_from_www_auth(response)
        self._named = httpx2.URL(named) if named else None

    def answered_here(self, request: httpx2.Request) -> httpx2.Response | None:
        """That nothing is there, of the server's metadata where it names another host for it; else nothing."""
        if request.url != self._named or origin(request.url) == origin(self._url):
            return None
        return httpx2.Response(404, request=request)

    async def check(self, request: httpx2.Request, context: OAuthContext) -> None:
        """Raise `OAuthFlowError` where a request must not be sent: into this machine, or with a secret elsewhere."""
        if self._carries_secret(request, context) and not self._is_at_issuer(context):
            raise OAuthFlowError(f"nothing was found out about the configured issuer {self._oauth.issuer}")
        if await self._is_out_of_bounds(request.url.host):
            raise OAuthFlowError(f"it leads the login to {request.url.host}, which is this machine or next to it")

    async def _is_out_of_bounds(self, host: str) -> bool:
        if host == httpx2.URL(self._oauth.issuer or "").host and host:
            return False  # the settings lead there, and not a server
        return not await self._server_is_near() and await _is_near(host)

    def _carries_secret(self, request: httpx2.Request, context: OAuthContext) -> bool:
        client = context.client_info
        secret = self._oauth.client_secret
        return request.method == "POST" and secret is not None and client is not None and client.client_secret == secret

    def _is_at_issuer(self, context: OAuthContext) -> bool:
        metadata = context.oauth_metadata
        return metadata is not None and issuers_match(str(metadata.issuer), self._oauth.issuer or "")

    async def _server_is_near(self) -> bool:
        if self._near is None:
            self._near = await _is_near(self._url.host)
        return self._near


async def bounded(response: httpx2.Response) -> httpx2.Response:
    """The same response with its body read. Raises `OAuthFlowError` where that is too large, or does not end."""
    try:
        with anyio.fail_after(_BODY_LIMIT):
            body = await _body(response)
    except TimeoutError:
        raise OAuthFlowError(f"{response.request.url.host} did not end its answer in time") from None
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() not in _OF_THE_WIRE]
    read = httpx2.Response(response.status_code, headers=headers, content=body, request=response.request)
    read.next_request = response.next_request
    return read


async def set_aside(response: httpx2.Response) -> None:
    """Be done with a response that nobody reads; the HTTP client would read it to its end, however far that is."""
    if isinstance(response.stream, httpx2.AsyncByteStream):
        await response.stream.aclose()
    response.stream = httpx2.ByteStream(b"")


async def _body(response: httpx2.Response) -> bytes:
    body = bytearray()
    if not isinstance(response.stream, httpx2.AsyncByteStream):
        raise TypeError("the response was not opened by an asynchronous client")
    # Reads it without marking the response itself as read, which the HTTP client would stumble over.
    twin = httpx2.Response(
        response.status_code, headers=response.headers, stream=response.stream, request=response.request
    )
    async with aclosing(twin.aiter_bytes()) as pieces:
        async for piece in pieces:
            body += piece
            if len(body) > _LARGEST:
                raise OAuthFlowError(f"{response.request.url.host} answered with more than {_LARGEST // 2**20} MiB")
    return bytes(body)


async def _is_near(host: str) -> bool:
    """Whether a host is this machine, or on its own link, where clouds offer the credentials of the machine."""
    return any(_is_near_address(address) for address in await _addresses(host))


def _is_near_address(address: IPv4Address | IPv6Address) -> bool:
    plain = address.ipv4_mapped if isinstance(address, IPv6Address) and address.ipv4_mapped else address
    return plain.is_loopback or plain.is_link_local or plain.is_unspecified


async def _addresses(host: str) -> list[IPv4Address | IPv6Address]:
    """What a host stands for; nothing where that is not known, for then the request itself leads nowhere."""
    try:
        with anyio.move_on_after(_LOOKUP_LIMIT):
            return [ip_address(place[0]) for *_, place in await anyio.getaddrinfo(host, None)]
    except (OSError, UnicodeError):
        return []
    return []
