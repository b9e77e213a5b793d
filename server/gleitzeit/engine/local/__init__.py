"""The engine inside one process."""

from __future__ import annotations

from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.context import Methods, Policy
from gleitzeit.engine.local.engine import LocalEngine

__all__ = ["Clock", "LocalEngine", "Methods", "Policy"]
