"""What a handler gets: the application, the arguments, and whom it works for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gleitzeit.mcp_server.access.caller import LOCAL, Caller
from gleitzeit.mcp_server.rendering.answer import BYTES_A_TOKEN

if TYPE_CHECKING:  # at run time the call brings it
    from gleitzeit.application import Application
    from gleitzeit.core.models import Run
    from gleitzeit.mcp_server.tools.host import Host

Report = Callable[[float, float | None, str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call with checked arguments; `report` tells a client that wants to know how far it is.

    `host` asks its person, where it can. `begun` is the run that the same call has begun before it had to ask.
    `meta` is what of the request's own goes on to whatever the run calls.
    """

    application: Application
    arguments: Mapping[str, Any]
    caller: Caller = LOCAL
    report: Report | None = None
    host: Host | None = None
    begun: Run | None = None
    meta: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def budget(self) -> int:
        """How many bytes the answer may take in a model's context."""
        return self.application.config.limits.result_tokens * BYTES_A_TOKEN

    def waits_quietly(self, seconds: float) -> bool:
        """Whether the client waits for a run so long, and is told nothing before it has an end."""
        return seconds > 0 and self.report is None
