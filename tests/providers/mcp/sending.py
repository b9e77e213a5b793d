"""Waiting for what was sent, where there is anything to wait for."""

from __future__ import annotations

from collections.abc import Awaitable


async def sent(sending: Awaitable[None] | None) -> None:
    """Return once it is sent."""
    if sending is not None:
        await sending
