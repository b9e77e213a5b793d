"""`Caller`: whoever makes a request, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mcp.server import ServerRequestContext

from gleitzeit.core.errors import ForbiddenError

Scope = Literal["workflows:read", "workflows:run", "workflows:write", "admin"]


@dataclass(frozen=True, slots=True)
class Caller:
    """Runs, cached results, idempotency keys, saved workflows and questions belong to the caller of that `name`."""

    name: str
    scopes: frozenset[Scope]

    @property
    def sees(self) -> str | None:
        """Whose runs it sees and steers: its own, or with `admin` those of all."""
        return None if "admin" in self.scopes else self.name

    def require(self, scope: Scope) -> None:
        """Raise `ForbiddenError` where the caller has not been given a scope."""
        if scope not in self.scopes and "admin" not in self.scopes:
            raise ForbiddenError(
                f"{self.name} may not do this: its token has no scope {scope}",
                hint="ask whoever runs this server for a token that has it",
            )


LOCAL = Caller("local", frozenset[Scope]({"workflows:read", "workflows:run", "workflows:write"}))
"""The one caller of a server that asks for no token."""


def caller_of(context: ServerRequestContext[Any, Any]) -> Caller:
    """Who makes a request."""
    return LOCAL
