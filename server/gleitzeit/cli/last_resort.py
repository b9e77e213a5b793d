"""The end of a process that was told to stop, also where something in it does not let go."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from typing import NoReturn

from gleitzeit.cli import exits

MOST_SECONDS = 2.0

_logger = logging.getLogger(__name__)


def end_in_time(code: int = exits.OK) -> None:
    """Have the process end within two seconds, whatever still runs in it then; called in its event loop."""
    timer = threading.Timer(MOST_SECONDS, _end, [asyncio.get_running_loop(), code])
    timer.daemon = True
    timer.start()


def end_now(code: int) -> NoReturn:
    """End the process without waiting for anything, not even for whoever should read what it wrote."""
    os._exit(code)


def _end(loop: asyncio.AbstractEventLoop, code: int) -> None:
    names = sorted({task.get_name() for task in asyncio.all_tasks(loop)}) if loop.is_running() else []
    _logger.error("still running after %g seconds, and cut off: %s", MOST_SECONDS, ", ".join(names) or "a thread")
    end_now(code)
