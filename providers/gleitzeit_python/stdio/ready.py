"""Waiting for a worker to say that it waits: its start is no part of a job's time."""

from __future__ import annotations

from typing import Final

import anyio

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.broker.frames import FrameError
from gleitzeit_python.stdio.base import Line
from gleitzeit_python.stdio.channels import ChannelReader, Kind

LONGEST: Final = 60.0
"""Seconds in which a worker has to begin."""


async def begin(line: Line, text: bytes, what: str) -> None:
    """Send a worker its program, and return once it waits for a job; one that does not is killed.

    Raises `ProviderUnavailableError` for that one.
    """
    try:
        with anyio.fail_after(LONGEST):
            await line.send(text)
            await _ready(line)
    except (OSError, FrameError, anyio.BrokenResourceError) as error:  # a TimeoutError is one
        await line.kill()
        reason = f"was not ready in {LONGEST:.0f} seconds" if isinstance(error, TimeoutError) else f"ended: {error}"
        raise ProviderUnavailableError(f"{what} {reason}") from error
    except BaseException:
        await line.kill()
        raise


async def _ready(line: Line) -> None:
    channels = ChannelReader()
    while data := await line.receive():
        if any(kind is Kind.END for kind, _ in channels.feed(data)):
            return
    raise BrokenPipeError(line.complaint or "it said nothing")
