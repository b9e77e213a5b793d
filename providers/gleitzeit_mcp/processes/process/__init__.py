"""Processes started here: `base.py` is the contract, `watched.py` for all systems but Windows, `streamed.py` for that.

`reading`, `writing` and `exit` are the halves of the former.
"""

from __future__ import annotations

import sys

from gleitzeit_mcp.processes.process.base import Order, Process, Take
from gleitzeit_mcp.processes.process.streamed import StreamedProcess
from gleitzeit_mcp.processes.process.watched import WatchedProcess

__all__ = ["Order", "Process", "StreamedProcess", "Take", "WatchedProcess", "started"]


async def started(order: Order) -> Process:
    """The process of this platform's kind; it is not lost where the caller is cancelled meanwhile.

    Raises `OSError` where the system cannot start it.
    """
    return await StreamedProcess.start(order) if sys.platform == "win32" else WatchedProcess(order)
