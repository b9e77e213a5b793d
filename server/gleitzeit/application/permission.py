"""Which methods the configuration allows."""

from __future__ import annotations

from fnmatch import fnmatchcase

from gleitzeit.config.settings import Policy
from gleitzeit.core.errors import ForbiddenError

_REMEMBERED = 4096
_HINT = "use another method, or ask whoever runs the server"


class Permission:
    """What the configuration's `policy` allows; `deny` wins."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._allowed: set[str] = set()

    def require(self, method: str) -> None:
        """Return where `method` may be used. Raises `ForbiddenError` naming what of the policy forbids it."""
        if method in self._allowed:
            return
        reason = self._refusal(method)
        if reason is not None:
            raise ForbiddenError(f"{method} is not allowed: {reason}", hint=_HINT)
        if len(self._allowed) < _REMEMBERED:
            self._allowed.add(method)

    def allows(self, method: str) -> bool:
        """Whether `method` may be used."""
        return method in self._allowed or self._refusal(method) is None

    def _refusal(self, method: str) -> str | None:
        denied = next((pattern for pattern in self._policy.deny if fnmatchcase(method, pattern)), None)
        if denied is not None:
            return f'policy.deny has "{denied}"'
        if self._policy.allow and not any(fnmatchcase(method, pattern) for pattern in self._policy.allow):
            return "policy.allow does not name it"
        return None
