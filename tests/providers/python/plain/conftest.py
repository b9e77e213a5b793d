from __future__ import annotations

from tests.providers.python.stdio.tiers import host

__all__ = ["host"]
