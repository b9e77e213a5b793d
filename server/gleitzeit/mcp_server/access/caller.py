"""`Caller`: whoever makes a request, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mcp.server import ServerRequestContext

from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.scopes import Scope

CALLER = "gleitzeit.caller"
"""Where the scope of an HTTP request says who makes it, once that is known."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Runs, cached results, idempotency keys, saved workflows and questions belong to the caller of that `name`."""

    name: str
    scopes: frozenset[Scope]

    @property
    def sees(self) -> str | None:
        """Whose runs it sees and steers: its own, or with `admin` those of all."""
        return None if "admin" in self.scopes else self.name

    def may(self, scope: Scope) -> bool:
        """Whether the caller has been given a scope; with `admin` it has all."""
        return scope in self.scopes or "admin" in self.scopes

    def refusal(self, scope: Scope) -> ForbiddenError:
        """What a caller is told who has not been given a scope."""
        return ForbiddenError(
            f"{self.name} may not do this: its token has no scope {scope}",
            hint="ask whoever runs this server for a token that has it",
            details={"scope": scope},
        )

    def require(self, scope: Scope) -> None:
        """Raise `ForbiddenError` where the caller has not been given a scope."""
        if not self.may(scope):
            raise self.refusal(scope)


LOCAL = Caller("local", frozenset[Scope]({"workflows:read", "workflows:run", "workflows:write"}))
"""The one caller of a server that asks for no token."""


def caller_of(context: ServerRequestContext[Any, Any]) -> Caller:
    """Who makes a request: whoever came with its token over HTTP, and over pipes the one who started the process.

    Raises `ForbiddenError` for a request over HTTP that nobody has asked for a token, which none ever is.
    """
    if context.request is None:
        return LOCAL
    caller = context.request.scope.get(CALLER)
    if not isinstance(caller, Caller):
        raise ForbiddenError("nobody knows who makes this request", hint="this is a defect; please report it")
    return caller
