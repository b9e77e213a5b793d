"""Lending the slot of a work that only waits to others, until it goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio

from gleitzeit.engine.local.slots import Slots
from gleitzeit.engine.local.work import Work


@asynccontextmanager
async def slot_lent(work: Work | None, slots: Slots) -> AsyncGenerator[None]:
    """Let somebody else have the slot of a work that only waits, be it for several things at once."""
    if work is None:
        yield
        return
    work.away += 1
    if work.slot:
        work.slot = False
        slots.release(work.caller)
    try:
        yield
    finally:
        work.away -= 1
        if not (work.away or work.returning or work.is_cancelled()):
            with anyio.CancelScope(shield=True):  # its code goes on, even where only this wait was cut short
                await _come_back(work, slots)


async def _come_back(work: Work, slots: Slots) -> None:
    work.returning = True
    await slots.regain(work.caller)
    work.returning = False
    if work.away or work.is_cancelled():  # it waits again, or needs none any more
        slots.release(work.caller)
    else:
        work.slot = True
