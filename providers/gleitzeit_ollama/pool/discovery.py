"""Which nodes there may be: those that the configuration names, and ports of this machine where one may listen."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import anyio

from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.settings import OllamaSettings

_KNOCK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a node may be; one that is only `discovered` counts once an Ollama has greeted there."""

    endpoint: Endpoint
    weight: float = 1.0
    max_parallel: int | None = None
    discovered: bool = False


def candidates(settings: OllamaSettings) -> Iterator[Candidate]:
    """The nodes of the configuration, then the ports of this machine that none of them has."""
    taken: set[int] = set()
    for node in settings.nodes:
        endpoint = Endpoint.parse(node.url)
        if endpoint.loopback:
            taken.add(_port(endpoint))
        yield Candidate(endpoint, node.weight, node.max_parallel)
    for port in settings.discovered_ports:
        if port not in taken:
            yield Candidate(Endpoint.parse(f"http://127.0.0.1:{port}"), discovered=True)


async def listens(endpoint: Endpoint) -> bool:
    """Whether anything at all takes connections there, which costs next to nothing to find out on this machine."""
    with anyio.move_on_after(_KNOCK_SECONDS):
        try:
            stream = await anyio.connect_tcp(str(urlsplit(endpoint.url).hostname), _port(endpoint))
        except OSError:
            return False
        await stream.aclose()
        return True
    return False


def _port(endpoint: Endpoint) -> int:
    return urlsplit(endpoint.url).port or (443 if endpoint.secure else 80)
