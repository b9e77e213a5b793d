"""`Line`: what stands while a server is connected."""

from __future__ import annotations

from dataclasses import dataclass

from gleitzeit_mcp.servers.liveness import Pulse
from gleitzeit_mcp.session.eras import Agreement
from gleitzeit_mcp.session.session import Session
from gleitzeit_mcp.transports.base import Transport


@dataclass(frozen=True, slots=True)
class Line:
    """An open connection; `since` is on the clock of the event loop."""

    session: Session
    agreement: Agreement
    transport: Transport
    pulse: Pulse
    since: float
