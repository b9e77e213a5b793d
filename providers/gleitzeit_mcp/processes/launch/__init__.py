"""Processes started here: `base.py` is the contract, `watched.py` for all systems but Windows, `streamed.py` for that.

`pipe_reader`, `pipe_writer` and `exit` are the parts of the former.
"""

from __future__ import annotations

import sys

from gleitzeit_mcp.processes.launch.base import Order, Process, Sink
from gleitzeit_mcp.processes.launch.streamed import StreamedProcess
from gleitzeit_mcp.processes.launch.watched import WatchedProcess

__all__ = ["Order", "Process", "Sink", "StreamedProcess", "WatchedProcess", "launch"]


async def launch(order: Order) -> Process:
    """A process of this platform's kind. Raises `OSError` where the system cannot start it."""
    kind: type[Process] = StreamedProcess if sys.platform == "win32" else WatchedProcess
    return await kind.start(order)
