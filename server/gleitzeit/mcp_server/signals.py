"""Being told to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable

import anyio

Ending = Callable[[], None]
"""What is called as soon as the end begins."""


def no_ending() -> None:
    """Let the end take as long as it takes."""


async def told_to_stop() -> None:
    """Return once the process gets SIGTERM or SIGINT; while it waits, neither does anything else."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for _ in signals:
            return
