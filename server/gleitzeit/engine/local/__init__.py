"""The engine inside one process."""

from __future__ import annotations

from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.engine import LocalEngine
from gleitzeit.engine.local.workshop import Methods, Policy

__all__ = ["Clock", "LocalEngine", "Methods", "Policy"]
