"""One node: its connections, what it has, and how well it is."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio

from gleitzeit.core.errors import GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.dispatch.base import NodeView
from gleitzeit_ollama.pool.base import NodeReport, full_name
from gleitzeit_ollama.pool.discovery import Candidate, listens
from gleitzeit_ollama.pool.health import Health
from gleitzeit_ollama.wire.inventory import Installed, Loaded
from gleitzeit_ollama.wire.patience import Patience, within
from gleitzeit_ollama.wire.refusals import START

if TYPE_CHECKING:  # importing the wire's client imports httpx2, which start-up must not
    from gleitzeit_ollama.wire.client import NodeClient

_LOOK_SECONDS = 5.0


class Node:
    """A place where an Ollama should listen, and what it told of itself last. `name` may be shown.

    Belongs to the event loop it was made in.
    """

    def __init__(self, place: Candidate, *, max_connections: int, load_timeout: float) -> None:
        self.name = place.endpoint.shown
        self.weight = place.weight
        self.health = Health()
        self.version: str | None = None
        self.installed: Mapping[str, Installed] = {}
        self.loaded: Mapping[str, Loaded] = {}
        self._place = place
        self._max_connections = max_connections
        self._load_timeout = load_timeout
        self._client: NodeClient | None = None
        self._looking = anyio.Lock()
        self._begun_looks = self._ended_looks = 0
        self._bell = anyio.Event()
        self._beginning: dict[Patience, str] = {}

    @property
    def known(self) -> bool:
        """Whether it counts as a node: one that was found by its port has to have been an Ollama once."""
        return self.version is not None or not self._place.discovered

    @property
    def foreign(self) -> bool:
        """Whether another program listens there."""
        return self.health.error is not None and "foreign" in self.health.error.details

    @property
    def usable(self) -> bool:
        """Whether it may be asked, if only to try."""
        return self.known and self.health.state in ("healthy", "trial")

    @property
    def client(self) -> NodeClient:
        """Its connections; the first use makes room for them."""
        if self._client is None:
            from gleitzeit_ollama.wire.client import NodeClient  # imports httpx2

            self._client = NodeClient(self._place.endpoint, max_connections=self._max_connections)
        return self._client

    async def aclose(self) -> None:
        """Close its connections; what is still being answered fails."""
        if self._client is not None:
            await self._client.aclose()

    def has(self, model: str) -> bool:
        """Whether it lists a model by its full name."""
        return model in self.installed

    def view(self) -> NodeView:
        """What routing has to know of it."""
        return NodeView(
            state=self.health.state,
            weight=self.weight,
            max_parallel=self._place.max_parallel,
            max_connections=self._max_connections,
            installed=frozenset(self.installed),
            loaded=frozenset(self.loaded),
        )

    def report(self, in_flight: Mapping[str, int], service_seconds: Mapping[str, float]) -> NodeReport:
        """How it stands, for people."""
        error = None if self.health.state == "healthy" else self.health.error
        return NodeReport(
            node=self.name,
            state=self.health.state,
            version=self.version,
            error=error.message if error is not None else None,
            hint=error.hint if error is not None else None,
            weight=self.weight,
            max_parallel=self._place.max_parallel,
            in_flight=dict(in_flight),
            service_seconds=dict(service_seconds),
            models=tuple(self._model(model) for model in self.installed.values()),
        )

    async def look(self, *, fresh: bool = False) -> None:
        """Ask how it is and what it has; what is wrong becomes its health.

        Several that look at once look together. `fresh` does not trust a look that has begun before.
        """
        begun, ended = self._begun_looks, self._ended_looks
        async with self._looking:
            if (self._begun_looks > begun) if fresh else (self._ended_looks > ended):
                return
            self._begun_looks += 1
            try:
                self.health = await self._looked()
            except BaseException:  # cancelled: who waits for this look has to look again
                self._begun_looks -= 1
                raise
            self._ended_looks += 1
        self._give_time()

    def began(self, model: str) -> None:
        """Note that it has begun to answer with a model, which therefore is loaded."""
        self.health = self.health.began()
        if model not in self.loaded:
            self.loaded = {**self.loaded, model: Loaded(model)}

    def ended(self) -> None:
        """Note that it has answered to the end."""
        self.health = self.health.ended()

    def refused(self, error: GleitzeitError) -> None:
        """Note that it failed a request as another node might not have, and have it looked at."""
        self.health = self.health.refused(error)
        self.ring()

    def saw_unloaded(self, model: str) -> None:
        """Note that it was told not to keep a model."""
        self.loaded = {name: facts for name, facts in self.loaded.items() if name != model}

    @contextmanager
    def beginning(self, model: str, patience: Patience) -> Generator[None]:
        """While inside, a look that does not find the model loaded gives the answer the time that loading takes."""
        self._beginning[patience] = model
        try:
            yield
        finally:
            del self._beginning[patience]

    def ring(self) -> None:
        """Have it looked at soon."""
        self._bell.set()

    async def rest(self, seconds: float) -> None:
        """Wait until it is time for the next look, or somebody rings."""
        with anyio.move_on_after(seconds):
            await self._bell.wait()
        self._bell = anyio.Event()

    async def _looked(self) -> Health:
        try:
            with within(_LOOK_SECONDS, self.name, "it was looked at"):
                await self._look()
        except TookTooLong as error:
            return self.health.looked_slow(_unreached(error))
        except GleitzeitError as error:
            return self.health.looked_bad(_unreached(error))
        return self.health.looked_well()

    async def _look(self) -> None:
        if not self.known and not await listens(self._place.endpoint):
            raise ProviderUnavailableError(f"nothing listens at {self.name}", hint=START)
        if self._place.discovered:  # nobody has said that this is an Ollama
            await self.client.greet()
        self.version = await self.client.version()
        self.installed = {full_name(model.name): model for model in await self.client.tags()}
        self.loaded = {full_name(model.name): model for model in await self.client.loaded()}

    def _give_time(self) -> None:
        for patience, model in self._beginning.items():
            if model not in self.loaded:
                patience.extend(self._load_timeout)

    def _model(self, model: Installed) -> dict[str, Any]:
        name = full_name(model.name)
        facts: dict[str, Any] = {"name": model.name, "size": model.size, "digest": model.digest, **_details(model)}
        loaded = self.loaded.get(name)
        facts["loaded"] = loaded is not None
        if loaded is not None:
            told = {"memory": loaded.size, "expires_at": loaded.expires_at, "context_length": loaded.context_length}
            facts.update({key: value for key, value in told.items() if value})
        return facts


def _details(model: Installed) -> dict[str, Any]:
    names = ("family", "parameter_size", "quantization_level", "context_length", "embedding_length")
    return {name: model.details[name] for name in names if model.details.get(name)}


def _unreached(error: GleitzeitError) -> GleitzeitError:
    """What a failed look means for requests: none of them was sent, so none can have been carried out."""
    if isinstance(error, ProviderError) and not error.ambiguous:
        return error
    # Another five seconds would not help.
    details = {**error.details, "again": False} if isinstance(error, TookTooLong) else error.details
    return ProviderUnavailableError(f"no Ollama answers as it should: {error.message}", hint=START, details=details)
