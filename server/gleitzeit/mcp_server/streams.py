"""The two streams of one connection, whatever carries them."""

from __future__ import annotations

from typing import Protocol

from mcp.shared.message import SessionMessage

Frame = SessionMessage | Exception


class Incoming(Protocol):
    """The frames of one connection; `last_context`, where there is one, is that of the last frame's sender."""

    async def receive(self) -> Frame:
        """The next frame; raises `EndOfStream` after the last."""
        ...

    async def aclose(self) -> None:
        """Take no more."""
        ...


class Outgoing(Protocol):
    """The way back to the other side of one connection."""

    async def send(self, item: SessionMessage, /) -> None:
        """Hand over one message."""
        ...

    async def aclose(self) -> None:
        """Send no more."""
        ...
