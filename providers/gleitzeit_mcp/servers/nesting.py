"""How deep Gleitzeits call each other, so that a loop ends where it begins.

A Gleitzeit may be a downstream server of another one. Each call carries the path it has come by in `_meta`, and each
server that is started finds it in its environment: the identity of every Gleitzeit on the way, with the name of the
server by which it went on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gleitzeit.core.errors import LimitError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.home import home_folder

VARIABLE = "IO_GLEITZEIT_PATH"  # one that begins with GLEITZEIT_ would be read as a key of the configuration
DEEPEST = 8

_STEP = ">"
_MARK = "@"


@dataclass(frozen=True, slots=True)
class Place:
    """Where this Gleitzeit stands: its identity, and the steps by which its process was reached."""

    identity: str
    steps: tuple[str, ...] = ()

    def through(self, server: str, given: str | None = None) -> str:
        """The path that goes on through `server`; `given` is the path of the call, where it has one.

        Raises `LimitError` naming the path where this Gleitzeit is on it already, or it is too long.
        """
        steps = _parts(given) or self.steps
        if any(step.startswith(self.identity + _MARK) for step in steps):
            raise LimitError(
                f"Gleitzeit is calling itself: {_words(steps)} leads back to where it began",
                hint="take the server out of mcp.servers that leads back, or let the workflow not call itself",
            )
        if len(steps) >= DEEPEST:
            raise LimitError(
                f"{DEEPEST} Gleitzeits call each other, and no more may: {_words(steps)}",
                hint="let the first one reach the server directly",
            )
        return _STEP.join((*steps, f"{self.identity}{_MARK}{server.replace(_STEP, '_')}"))


def place_of(servers: Iterable[Server], environment: Mapping[str, str]) -> Place:
    """Where a hub with these servers stands. The same home with servers of the same names is the same Gleitzeit.

    All servers on the way see the identity, so nothing of the settings that could be secret is in it.
    """
    names = "\n".join(server.name for server in servers)
    identity = hashlib.sha256(f"{home_folder()}\n{names}".encode()).hexdigest()[:12]
    return Place(identity, _parts(environment.get(VARIABLE)))


def _parts(path: str | None) -> tuple[str, ...]:
    return tuple(step for step in path.split(_STEP) if step)[: DEEPEST + 1] if path else ()


def _words(steps: Iterable[str]) -> str:
    return " > ".join(step.partition(_MARK)[2] or step for step in steps)
