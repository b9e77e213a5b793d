"""Which methods the configuration allows, and which a person has to approve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from gleitzeit.config.settings import Policy
from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.nesting import ASK_HUMAN

_REMEMBERED = 4096
_HINT = "use another method, or ask whoever runs the server"


class Permission:
    """What the configuration's `policy` allows, and what a person has to approve; `deny` wins.

    `names_of` gives all names of a method: one that is denied denies them all, and one that is allowed allows them.
    One that has to be approved is so by each of its names.
    """

    def __init__(self, policy: Policy, names_of: Callable[[str], Sequence[str]] | None = None) -> None:
        self._policy = policy
        self._names_of = names_of or _itself
        self._allowed: set[str] = set()

    def require(self, method: str) -> None:
        """Return where `method` may be used. Raises `ForbiddenError` naming what of the policy forbids it."""
        if method in self._allowed:
            return
        reason = self._refusal(method)
        if reason is not None:
            raise ForbiddenError(f"{method} is not allowed: {reason}", hint=_HINT, details={"rule": reason})
        if len(self._allowed) < _REMEMBERED:
            self._allowed.add(method)

    def allows(self, method: str) -> bool:
        """Whether `method` may be used."""
        return method in self._allowed or self._refusal(method) is None

    def asks(self, method: str) -> bool:
        """Whether a person has to approve `method` each time before it is carried out; asking one does not need it."""
        if not self._policy.ask or method == ASK_HUMAN:
            return False
        names = self._names_of(method)
        return any(_fits(names, pattern) for pattern in self._policy.ask)

    def _refusal(self, method: str) -> str | None:
        names: Sequence[str] = self._names_of(method) if self._policy.deny or self._policy.allow else ()
        denied = next((pattern for pattern in self._policy.deny if _fits(names, pattern)), None)
        if denied is not None:
            return f'policy.deny has "{denied}"'
        if self._policy.allow and not any(_fits(names, pattern) for pattern in self._policy.allow):
            return "policy.allow does not name it"
        return None


def _itself(method: str) -> Sequence[str]:
    return (method,)


def _fits(names: Sequence[str], pattern: str) -> bool:
    return any(fnmatchcase(name, pattern) for name in names)
