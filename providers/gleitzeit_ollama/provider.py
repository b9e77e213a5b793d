"""`OllamaProvider`: the protocol `llm/v1`, carried out by one Ollama server or many."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from pydantic import BaseModel

from gleitzeit.core import errors
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.findings import Finding
from gleitzeit.core.protocol import Protocol
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import CacheKey, ProtocolProvider, Readiness
from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.calls.conversation import converse
from gleitzeit_ollama.calls.embedding import embed
from gleitzeit_ollama.calls.limit import time_limit
from gleitzeit_ollama.calls.listing import models
from gleitzeit_ollama.calls.standing import health
from gleitzeit_ollama.calls.text import TextCall
from gleitzeit_ollama.methods.batch import batch_of
from gleitzeit_ollama.methods.chat import CHAT
from gleitzeit_ollama.methods.embeddings import EMBEDDINGS
from gleitzeit_ollama.methods.models import MODELS
from gleitzeit_ollama.methods.protocol import TEXT_REQUESTS, llm_protocol
from gleitzeit_ollama.methods.tools import offers_downstream
from gleitzeit_ollama.settings import SECTION, OllamaSettings

if TYPE_CHECKING:  # imported when the provider is started, for most processes never do that
    from gleitzeit_ollama.pool.hub import OllamaHub


class OllamaProvider(ProtocolProvider):
    """Language models of the Ollama servers that `config` (the section `providers.ollama`) names, or that it finds.

    Tokens become progress while the answer comes; cancelling the task hangs up, which stops the model. A `hub` that is
    handed in is used as it is: whoever made it serves and closes it.

    Raises `ConfigurationError` for a configuration that it cannot use.
    """

    protocol: Protocol | None = llm_protocol({})
    config_model = OllamaSettings

    def __init__(
        self,
        provider_id: str,
        config: OllamaSettings | Mapping[str, Any] | None = None,
        hub: OllamaHub | None = None,
        **kwargs: Any,
    ) -> None:
        self.settings = read_section(OllamaSettings, config or {}, SECTION)
        super().__init__(provider_id, "llm/v1", hub=hub, **{"description": _description(self.settings), **kwargs})
        self.protocol = llm_protocol(self.settings.models)
        self._own: OllamaHub | None = None

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The provider of the servers that its section names."""
        return cls(provider_id, read_section(OllamaSettings, config, SECTION))

    async def initialize(self) -> None:
        """Make room for connections in this event loop; none is opened before the first request, or `serve`."""
        if self.hub is None:
            self._own = self._new_hub()

    async def serve(self, *, task_status: Readiness) -> None:
        """Find the servers, and keep looking how they are."""
        if self._own is None:
            await super().serve(task_status=task_status)
        else:
            await self._own.serve(task_status=task_status)

    async def shutdown(self) -> None:
        """Close all connections; what is still being answered fails."""
        own, self._own = self._own, None
        if own is not None:
            await own.aclose()

    async def health_check(self) -> dict[str, Any]:
        """Whether any server answers, and how each stands; never raises."""
        hub = self.hub or self._own or self._new_hub()
        try:
            return {"provider": self.provider_id, "protocol": self.protocol_id, **await health(hub)}
        finally:
            if hub not in (self.hub, self._own):
                await hub.aclose()

    async def examine(self) -> Sequence[Finding]:
        """How each server stands, and which configured model none of them has."""
        from gleitzeit_ollama.examination import examine  # only for `gleitzeit doctor`

        return await examine(self._started_hub(), self.settings, os.environ)

    async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
        """The model's digest decides a result too; one that would not come out the same is not kept."""
        from gleitzeit_ollama.cache import cache_facts  # only for tasks with `cache`

        return await cache_facts(self._started_hub(), self.settings, method, parameters)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out one of the methods `llm/*`, whose parameters `validate_request` has found to be right.

        Raises `ValidationError` where they contradict each other, `ProviderUnavailableError` where no server runs, else
        `ProviderError` or `TimeoutError`.
        """
        hub = self._started_hub()
        if method == CHAT and offers_downstream(parameters.get("tools")):
            batch_of(method, parameters)  # raises: each conversation of a batch would need calls of its own
            with time_limit(method, parameters.get("timeout")):
                return await converse(parameters)
        if method in TEXT_REQUESTS:
            return await TextCall(hub, self.settings, method).result(parameters)
        if method == EMBEDDINGS:
            with time_limit(method, parameters.get("timeout")):
                return await embed(hub, self.settings, parameters)
        if method == MODELS:
            return await models(hub, self.settings.models)
        known = self.get_supported_methods()
        raise errors.MethodNotFoundError(f'no provider serves "{method}"', hint=did_you_mean(method, known))

    def _started_hub(self) -> OllamaHub:
        hub: OllamaHub | None = self.hub or self._own
        if hub is None:
            raise errors.ProviderUnavailableError(
                f'provider "{self.provider_id}" is not started', hint="await its initialize() first"
            )
        return hub

    def _new_hub(self) -> OllamaHub:
        from gleitzeit_ollama.pool.hub import OllamaHub  # see above

        return OllamaHub(self.settings)


def _description(settings: OllamaSettings) -> str:
    named = [Endpoint.parse(node.url).shown for node in settings.nodes]
    return f"Language models of Ollama at {', '.join(named) or 'this machine'}"
