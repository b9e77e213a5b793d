"""Tokens by OAuth: every request gets a valid one, refreshed where needed, without ever asking a person."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import httpx2
from mcp.client.auth import OAuthClientProvider, OAuthFlowError
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.auth.utils import extract_field_from_www_auth
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from gleitzeit.core.errors import ConfigurationError, ProviderUnavailableError
from gleitzeit_mcp.config import OAuth, Server
from gleitzeit_mcp.credentials.discovery import Discovery, bounded, set_aside
from gleitzeit_mcp.credentials.redaction import hiding
from gleitzeit_mcp.credentials.storage import GrantStorage, is_document
from gleitzeit_mcp.credentials.tokens import TokenFile
from gleitzeit_mcp.transports.remote import Redact, Remote

_TOKEN_LIMIT = 30.0
_LONG_AGO = 1.0  # the SDK takes 0 for a token that never expires

ShowUrl = Callable[[str], Awaitable[None]]
WaitForCode = Callable[[], Awaitable[AuthorizationCodeResult]]


class Person:
    """Whoever logs in: is shown a URL, and comes back with a code."""

    def __init__(self, redirect_uri: str, show_url: ShowUrl, wait_for_code: WaitForCode) -> None:
        self.redirect_uri = redirect_uri
        self.show_url = show_url
        self.wait_for_code = wait_for_code


class Tokens(httpx2.Auth):
    """The OAuth side of one server.

    The SDK's client holds a lock from the first byte of a request to the head of its answer, and so would let only
    one call run at a time; it is asked only where there is no token that could still be good.
    """

    def __init__(self, server: Server, file: TokenFile, person: Person | None = None, redact: Redact = str) -> None:
        assert server.oauth is not None
        _check_issuer(server.name, server.oauth)
        self._remote = Remote(server.name, server.url or "", lambda text: redact(self.redact(text)))
        self._needs_person = server.oauth.grant == "authorization_code"
        self._person = person
        self._storage = GrantStorage(file, server.oauth)
        self._provider = _provider(server.url or "", server.oauth, self._storage, person)
        self._storage.serve(self._provider)
        self._discovery = Discovery(server.url or "", server.oauth)
        self._restored = False

    @property
    def held(self) -> bool:
        """Whether there is a token that is not known to have expired."""
        return self._provider.context.is_token_valid()

    @property
    def granted(self) -> bool:
        """Whether there is a token at all."""
        return self._provider.context.current_tokens is not None

    def redact(self, text: str) -> str:
        """The text without the tokens."""
        context = self._provider.context
        tokens, client = context.current_tokens, context.client_info
        secrets = [tokens.access_token, tokens.refresh_token or ""] if tokens else []
        return hiding([*secrets, (client and client.client_secret) or ""])(text)

    async def async_auth_flow(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """Send a request with the token there is, and once more with a new one if that was not accepted."""
        if not self._restored and self._person is None:
            await self._storage.restore()
            self._restored = True
        refused, response = "", None
        if self.held:
            refused = self._stamp(request)
            response = yield request
            if not _asks_for_token(response):
                return
        async with aclosing(self._renewal(request, refused)) as renewal:
            try:
                outgoing = await anext(renewal)
                while True:
                    if response is not None:
                        await set_aside(response)
                    response = yield outgoing
                    outgoing = await renewal.asend(response)
            except StopAsyncIteration:
                return
            except (OAuthFlowError, ValueError) as error:
                raise self._failure(str(error)) from error

    async def _renewal(self, request: httpx2.Request, refused: str) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        sent = False
        async with AsyncExitStack() as held:
            if self._person is None:
                await held.enter_async_context(self._storage.file.locked())
                await self._prepare(refused)
            if not self.held:
                async with aclosing(self._asked(request)) as asked:
                    outgoing: httpx2.Request | None = await anext(asked)
                    while outgoing is not None:
                        sent = sent or outgoing is request
                        response = yield outgoing
                        outgoing = await _next(asked, response)
        if not self.held and sent:
            return  # it was answered without a token
        self._stamp(request)
        response = yield request
        if _asks_for_token(response) and self._needs_person and self._person is None:
            raise self._login_needed("its token is not accepted any longer")

    async def _prepare(self, refused: str) -> None:
        """Take what another process may have got meanwhile, and give up the token that was refused."""
        await self._storage.restore()
        context = self._provider.context
        if context.current_tokens is not None and context.current_tokens.access_token == refused:
            context.token_expiry_time = _LONG_AGO
        if not self.held and self._needs_person and not context.can_refresh_token():
            raise self._login_needed("its token has expired" if context.current_tokens else "nobody has logged in yet")

    async def _asked(self, request: httpx2.Request) -> AsyncGenerator[httpx2.Request, httpx2.Response]:
        """The SDK's flow, up to where there is a token."""
        async with aclosing(self._provider.async_auth_flow(request)) as flow:
            outgoing: httpx2.Request | None = await anext(flow)
            while outgoing is not None:
                if outgoing is request and self.held:
                    return
                if outgoing is request and self._needs_person and self._person is None:
                    raise self._login_needed("its token cannot be refreshed any longer")
                if outgoing is request:
                    response = yield outgoing
                    self._discovery.challenged(response)
                elif (here := self._discovery.answered_here(outgoing)) is not None:
                    response = here
                else:
                    await self._discovery.check(outgoing, self._provider.context)
                    outgoing.extensions.setdefault("timeout", httpx2.Timeout(_TOKEN_LIMIT).as_dict())
                    answered = yield outgoing
                    if answered.status_code in (429, 500, 502, 503, 504):
                        raise self._failure(f"{outgoing.url.host} answered HTTP {answered.status_code}")
                    response = await bounded(answered)
                outgoing = await _next(flow, response)

    def _stamp(self, request: httpx2.Request) -> str:
        tokens = self._provider.context.current_tokens
        token = tokens.access_token if tokens else ""
        request.headers["Authorization"] = f"Bearer {token}"
        return token

    def _login_needed(self, reason: str) -> ProviderUnavailableError:
        return ProviderUnavailableError(
            f"it needs a login: {reason}",
            hint=f"run `{self._remote.login_command}`",
            retryable=False,
            details={"server": self._remote.name, "login": True},
        )

    def _failure(self, reason: str) -> ProviderUnavailableError:
        return ProviderUnavailableError(
            f"it gives no token: {self._remote.quoted(reason)}",
            hint="check its settings under `oauth`",
            details={"server": self._remote.name},
        )


class _AsConfigured(OAuthClientMetadata):
    """Asks for the scopes of the settings, where the SDK would put those that the server suggests in their place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "scope" or self.scope is None:
            super().__setattr__(name, value)


async def _next(
    flow: AsyncGenerator[httpx2.Request, httpx2.Response], response: httpx2.Response
) -> httpx2.Request | None:
    try:
        return await flow.asend(response)
    except StopAsyncIteration:
        return None


def _asks_for_token(response: httpx2.Response) -> bool:
    insufficient = (
        response.status_code == 403 and extract_field_from_www_auth(response, "error") == "insufficient_scope"
    )
    return response.status_code == 401 or insufficient


# It logs each error that it raises, with a traceback and what a server said; here every one of them is told.
logging.getLogger("mcp.client.auth.oauth2").setLevel(logging.CRITICAL)


def _provider(url: str, oauth: OAuth, storage: GrantStorage, person: Person | None) -> OAuthClientProvider:
    scope = " ".join(oauth.scopes) or None
    if oauth.grant == "client_credentials":
        return _by_credentials(url, oauth, storage, scope)
    metadata = (_AsConfigured if scope else OAuthClientMetadata)(
        client_name="Gleitzeit",
        redirect_uris=[AnyUrl(person.redirect_uri if person else "http://127.0.0.1/callback")],
        scope=scope,
    )
    return OAuthClientProvider(
        url,
        metadata,
        storage,
        redirect_handler=person.show_url if person else None,
        callback_handler=person.wait_for_code if person else None,
        client_metadata_url=oauth.client_id if is_document(oauth.client_id) else None,
    )


def _by_credentials(url: str, oauth: OAuth, storage: GrantStorage, scope: str | None) -> OAuthClientProvider:
    return ClientCredentialsOAuthProvider(
        url,
        storage,
        client_id=oauth.client_id or "",
        client_secret=oauth.client_secret or "",
        scope=scope,
        issuer=oauth.issuer,
    )


def _check_issuer(name: str, oauth: OAuth) -> None:
    """Raise `ConfigurationError` where a variable filled in an issuer that no secret may be sent to."""
    if oauth.issuer is None:
        return
    try:
        oauth.check_issuer()
    except ValueError as error:
        raise ConfigurationError(
            f'server "{name}": {error}', hint="look at what the variables in it are set to"
        ) from error
