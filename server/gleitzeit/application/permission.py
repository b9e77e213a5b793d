"""Which methods the configuration allows."""

from __future__ import annotations

from fnmatch import fnmatchcase

from gleitzeit.config.settings import Policy
from gleitzeit.core.errors import ForbiddenError

_REMEMBERED = 4096
_HINT = "use another method, or ask whoever runs the server"


class Permission:
    """Raises `ForbiddenError` for a method that the configuration's `policy` does not allow; `deny` wins."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._allowed: set[str] = set()

    def __call__(self, method: str, caller: str = "") -> None:
        """Return where `method` may be used."""
        if method in self._allowed:
            return
        denied = next((pattern for pattern in self._policy.deny if fnmatchcase(method, pattern)), None)
        if denied is not None:
            raise ForbiddenError(f'{method} is not allowed: policy.deny has "{denied}"', hint=_HINT)
        if self._policy.allow and not any(fnmatchcase(method, pattern) for pattern in self._policy.allow):
            raise ForbiddenError(
                f"{method} is not allowed: policy.allow does not name it",
                hint=_HINT,
            )
        if len(self._allowed) < _REMEMBERED:
            self._allowed.add(method)
