"""What a cancellation means that comes out of a provider: it may have been meant for something that it waited for."""

from __future__ import annotations

import asyncio  # for the crew and foreign code cancel with its own means, of which anyio knows nothing
import math

import anyio


def ends_the_task(error: BaseException) -> bool:
    """Whether an error says that the task of the event loop which it is raised in is to end, whoever wants that."""
    if isinstance(error, KeyboardInterrupt):
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:  # the event loop is gone, and what was left in it is being cleared away
        return True
    if not isinstance(error, asyncio.CancelledError):
        return False
    return (task is not None and task.cancelling() > 0) or anyio.current_effective_deadline() == -math.inf
