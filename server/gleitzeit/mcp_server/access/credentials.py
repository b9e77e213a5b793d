"""What a request says about who makes it (RFC 6750)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

_LONGEST = 512
_IN_URLS = ("access_token", "token")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not served, as an answer that never repeats what was sent."""

    status: int
    error: str
    description: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    def response(self) -> Response:
        """The answer."""
        body = {"error": self.error, "error_description": self.description}
        return JSONResponse(body, self.status, dict(self.headers))


def challenge(error: str, description: str, status: int = 401) -> Refusal:
    """A refusal that says how to come in: with a bearer token, and what was wrong with the one that came."""
    header = f'Bearer error="{error}", error_description="{description}"'
    return Refusal(status, error, description, {"WWW-Authenticate": header})


NO_TOKEN = Refusal(
    401,
    "unauthorized",
    "this server wants a token: Authorization: Bearer gleitzeit_...",
    {"WWW-Authenticate": "Bearer"},
)
"""For a request that says nothing about itself; then neither does the challenge."""

WRONG_TOKEN = challenge("invalid_token", "the token is none that this server takes")


def insufficient(scope: str) -> Refusal:
    """For a token that is good for other things."""
    description = f"the token has no scope {scope}"
    header = f'Bearer error="insufficient_scope", error_description="{description}", scope="{scope}"'
    return Refusal(403, "insufficient_scope", description, {"WWW-Authenticate": header})


def presented(request: Request) -> str | Refusal:
    """The token that a request comes with, or why it has none that can be looked at."""
    if any(name in request.query_params for name in _IN_URLS):
        return challenge("invalid_request", "a token belongs in the header Authorization, never in a URL", 400)
    given = request.headers.getlist("authorization")
    if not given:
        return NO_TOKEN
    if len(given) > 1:
        return challenge("invalid_request", "there is more than one header Authorization", 400)
    scheme, _, token = given[0].strip().partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer":
        return NO_TOKEN
    if not token or len(token) > _LONGEST or not token.isascii() or not token.isprintable() or " " in token:
        return WRONG_TOKEN
    return token
