from __future__ import annotations

from tests.providers.python.stdio.tiers import docker, host

__all__ = ["docker", "host"]
