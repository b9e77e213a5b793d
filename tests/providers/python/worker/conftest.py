"""Fork servers of both tiers, as the user who runs the tests and as nobody."""

from __future__ import annotations

from tests.security.conftest import python, server, standing, tier, user

__all__ = ["python", "server", "standing", "tier", "user"]
