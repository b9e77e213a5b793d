"""Logging in to a server, by a person at a browser."""

from __future__ import annotations

import os

import anyio

from gleitzeit.core import errors
from gleitzeit.core.errors import ConfigurationError, GleitzeitError, ProviderError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.credentials.headers import fixed_headers
from gleitzeit_mcp.credentials.loopback import Loopback, listening
from gleitzeit_mcp.credentials.oauth import Person, ShowUrl, Tokens
from gleitzeit_mcp.credentials.redaction import redactor
from gleitzeit_mcp.credentials.tokens import TokenFile
from gleitzeit_mcp.environment import fill_server
from gleitzeit_mcp.transports.client import answer, open_client, refusal_of, translated
from gleitzeit_mcp.transports.messages import encoded
from gleitzeit_mcp.transports.refusals import refused
from gleitzeit_mcp.transports.remote import Redact, Remote
from gleitzeit_mcp.versions import HANDSHAKE

LOGIN_LIMIT = 300.0
"""Seconds that a person has to log in."""


async def log_in(server: Server, show_url: ShowUrl, limit: float = LOGIN_LIMIT) -> None:
    """Get new tokens for a server as it is configured, and keep them.

    `show_url` gets the address that the person opens; it is never opened by itself. Raises `ConfigurationError` where
    the server has no `oauth`, `TimeoutError` where nobody logs in, `ProviderError` where the login fails.
    """
    if server.oauth is None or server.url is None:
        raise ConfigurationError(
            f'server "{server.name}" has no oauth, so there is nothing to log in to',
            hint=f'set `oauth: true` for "{server.name}" under mcp.servers',
        )
    filled = fill_server(server, os.environ)
    redact = redactor(filled, server)
    failure: GleitzeitError | None = None
    async with listening(server.oauth.redirect_port) as loopback:
        try:
            with anyio.fail_after(limit):
                await _come_back_with_tokens(filled, redact, loopback, show_url)
        except GleitzeitError as error:
            failure = error  # raised below, outside of the task group that would wrap it
        except TimeoutError:
            failure = errors.TimeoutError(f"nobody logged in within {limit:g} seconds", ambiguous=False)
    if failure is not None:
        raise failure


async def _come_back_with_tokens(server: Server, redact: Redact, loopback: Loopback, show_url: ShowUrl) -> None:
    remote = Remote(server.name, server.url or "", redact)

    async def show(url: str) -> None:
        loopback.expect(url)
        await show_url(url)

    tokens = Tokens(
        server,
        TokenFile(server.name, remote.url),
        Person(loopback.redirect_uri, show, loopback.code),
        redact,
    )
    headers = {
        "accept": "application/json, text/event-stream",
        "content-type": "application/json",
        "mcp-protocol-version": HANDSHAKE,
    }
    # Any request makes the server ask for a token; this one changes nothing, whichever way it is answered.
    ping = encoded({"jsonrpc": "2.0", "id": "login", "method": "ping"})
    async with open_client(fixed_headers(server), tokens) as client:
        with translated(remote):
            async with answer(client, "POST", remote.url, headers, ping) as response:
                if response.status_code in (401, 403):
                    raise refused(remote, await refusal_of(remote, response))
                status = response.status_code
    if not tokens.granted:
        raise ProviderError(
            f"it asked for no login (HTTP {status})",
            hint="check its url; if it needs no login, leave out `oauth`",
            retryable=False,
        )
