"""`Gate`: whoever comes in over HTTP is known by a token, and takes no more than their part."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection

import anyio
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from gleitzeit.config.settings import TokenSettings
from gleitzeit.core.scopes import Scope as RequiredScope
from gleitzeit.mcp_server.access.allowance import Allowance, Bounds
from gleitzeit.mcp_server.access.caller import CALLER, LOCAL, Caller
from gleitzeit.mcp_server.access.credentials import WRONG_TOKEN, Refusal, insufficient, presented
from gleitzeit.mcp_server.access.rights import REQUESTS
from gleitzeit.mcp_server.access.tokens import Tokens

logger = logging.getLogger(__name__)

_LARGE = 1 << 20
_MOST_DIGITS = 20


class Gate:
    """Says in each request's scope who makes it, and lets nobody in who has no token where there are tokens.

    `unguarded` are the paths that tell nothing worth a token.
    """

    def __init__(self, app: ASGIApp, tokens: Tokens, bounds: Bounds, unguarded: Collection[str]) -> None:
        self._app = app
        self._tokens = tokens
        self._bounds = bounds
        self._unguarded = frozenset(unguarded)
        self._allowances: dict[str, Allowance] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or say why not."""
        if scope["path"] in self._unguarded:
            await self._app(scope, receive, send)
            return
        if not self._tokens:
            scope[CALLER] = LOCAL
            await self._app(scope, receive, send)
            return
        owner = self._owner(Request(scope))
        if isinstance(owner, Refusal):
            logger.info("refused a request of %s: %s", (scope.get("client") or ("?",))[0], owner.error)
            await owner.response()(scope, receive, send)
            return
        scope[CALLER] = caller = Caller(owner.name, frozenset(owner.scopes))
        scope["user"] = _user(owner)
        missing = _missing(Request(scope), caller)
        if missing is not None:
            await insufficient(missing).response()(scope, receive, send)
            return
        await self._serve(owner.name, scope, receive, send)

    def _owner(self, request: Request) -> TokenSettings | Refusal:
        token = presented(request)
        return token if isinstance(token, Refusal) else self._tokens.owner_of(token) or WRONG_TOKEN

    async def _serve(self, name: str, scope: Scope, receive: Receive, send: Send) -> None:
        now, large = anyio.current_time(), _is_large(Request(scope))
        allowance = self._allowances.get(name)
        if allowance is None:
            allowance = self._allowances[name] = Allowance(self._bounds, now)
        refused = allowance.enter(now, large=large)
        if refused is not None:
            await _too_much(refused).response()(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            allowance.leave(large=large)


def _missing(request: Request, caller: Caller) -> RequiredScope | None:
    """The scope that a request lacks which says in its headers what it asks for.

    A refused tool is told as the tool's result, which a model reads and a failed request it does not.
    """
    scope = REQUESTS.get(request.headers.get("mcp-method", ""))
    return None if scope is None or caller.may(scope) else scope


def _is_large(request: Request) -> bool:
    """Whether a request brings much, or does not say how much."""
    if request.method == "GET":
        return False
    length = request.headers.get("content-length", "")
    if length.isdecimal() and len(length) <= _MOST_DIGITS:
        return int(length) > _LARGE
    return True if length else "transfer-encoding" in request.headers


def _too_much(refused: str | float) -> Refusal:
    if isinstance(refused, str):
        return Refusal(429, "too_many_requests", refused, {"Retry-After": "1"})
    seconds = math.ceil(refused)
    description = f"these were more requests than a minute has for you (limits.caller_rate); wait {seconds} s"
    return Refusal(429, "too_many_requests", description, {"Retry-After": str(seconds)})


def _user(owner: TokenSettings) -> AuthenticatedUser:
    """What the SDK binds sessions to: the token that opened them. Its text is not there to be found."""
    token = AccessToken(token="", client_id=owner.name, scopes=list(owner.scopes), subject=owner.hash)
    return AuthenticatedUser(token)
