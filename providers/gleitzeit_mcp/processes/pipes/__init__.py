"""Pipes to a child: `base.py` is the contract, `loop.py` for all systems but Windows, `streams.py` for that one."""

from __future__ import annotations

import sys

from gleitzeit_mcp.processes.pipes.base import Pipes, Take
from gleitzeit_mcp.processes.pipes.loop import LoopPipes
from gleitzeit_mcp.processes.pipes.streams import StreamPipes

__all__ = ["LoopPipes", "Pipes", "StreamPipes", "Take", "pipes"]


def pipes() -> Pipes:
    """Those of this platform. Raises `OSError` where there are no descriptors left."""
    return StreamPipes() if sys.platform == "win32" else LoopPipes()
