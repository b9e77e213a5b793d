"""`OllamaProvider`: the protocol `llm/v1`, carried out by one Ollama server."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import anyio
from pydantic import BaseModel

from gleitzeit.core import errors
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.protocol import Protocol
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit_ollama.answer import Answer
from gleitzeit_ollama.chat import CHAT, ChatRequest, llm_protocol
from gleitzeit_ollama.endpoint import Endpoint
from gleitzeit_ollama.progress import TokenProgress
from gleitzeit_ollama.settings import SECTION, OllamaSettings

if TYPE_CHECKING:  # importing the wire imports httpx2, which start-up must not
    from gleitzeit_ollama.wire import Patience, Wire


class OllamaProvider(ProtocolProvider):
    """Language models of the Ollama server that `config` (the section `providers.ollama`) names.

    Tokens become progress while the answer comes; cancelling the task hangs up, which stops the model.

    Raises `ConfigurationError` for a configuration that it cannot use.
    """

    protocol: Protocol | None = llm_protocol({})
    config_model = OllamaSettings

    def __init__(
        self, provider_id: str, config: OllamaSettings | Mapping[str, Any] | None = None, **kwargs: Any
    ) -> None:
        self.settings = read_section(OllamaSettings, config or {}, SECTION)
        self.endpoint = Endpoint.parse(self.settings.endpoint)
        description = f"Language models of the Ollama at {self.endpoint.shown}"
        super().__init__(provider_id, "llm/v1", **{"description": description, **kwargs})
        self.protocol = llm_protocol(self.settings.models)
        self._wire: Wire | None = None

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The provider of the server that its section names."""
        return cls(provider_id, read_section(OllamaSettings, config, SECTION))

    async def initialize(self) -> None:
        """Make room for connections in this event loop; none is opened before the first request."""
        self._wire = self._new_wire()

    async def shutdown(self) -> None:
        """Close all connections; what is still being answered fails."""
        wire, self._wire = self._wire, None
        if wire is not None:
            await wire.aclose()

    async def health_check(self) -> dict[str, Any]:
        """Whether the server answers, and its version; never raises."""
        facts = {"provider": self.provider_id, "protocol": self.protocol_id, "endpoint": self.endpoint.shown}
        wire = self._wire or self._new_wire()
        try:
            return {"status": "healthy", **facts, "version": await wire.version()}
        except errors.GleitzeitError as error:
            return {"status": "unhealthy", **facts, "error": error.message, "hint": error.hint}
        finally:
            if wire is not self._wire:
                await wire.aclose()

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Carry out `llm/chat`, whose parameters `validate_request` has found to be right.

        Raises `ValidationError` where they contradict each other, `ProviderUnavailableError` where no server runs, else
        `ProviderError` or `TimeoutError`.
        """
        if method != CHAT:
            raise errors.MethodNotFoundError(f'no provider serves "{method}"', hint=did_you_mean(method, [CHAT]))
        request = ChatRequest.of(parameters, self.settings.models, self.settings.keep_alive)
        with _limit(request.timeout):
            return await self._chat(request)

    async def _chat(self, request: ChatRequest) -> dict[str, Any]:
        from gleitzeit_ollama.retries import opened  # imports httpx2

        task = current_task()
        task.record(node=self.endpoint.shown, model=request.model)
        answer, progress = Answer(request.model), TokenProgress(task.report_progress, request.most_tokens)
        started, first = time.monotonic(), None
        retries = self.settings.max_retries
        async with opened(
            self._started_wire(), "/api/chat", request.payload, self._patience(request), retries
        ) as stream:
            async for line in stream:
                text = answer.add(line)
                if text is None:
                    continue
                if first is None:
                    first = time.monotonic()
                    task.record(time_to_first_token=round(first - started, 6))
                await progress.add(text)
        await progress.flush()
        task.record(duration=round(time.monotonic() - started, 6), load_duration=answer.load_seconds)
        return answer.result(request.format)

    def _patience(self, request: ChatRequest) -> Patience:
        from gleitzeit_ollama.wire import Patience  # imports httpx2

        first, idle = self.settings.load_timeout, self.settings.timeout
        # Ollama keeps the text of a tool call back until the call is whole.
        return Patience(first, max(first, idle) if "tools" in request.payload else idle)

    def _started_wire(self) -> Wire:
        if self._wire is None:
            raise errors.ProviderUnavailableError(
                f'provider "{self.provider_id}" is not started', hint="await its initialize() first"
            )
        return self._wire

    def _new_wire(self) -> Wire:
        from gleitzeit_ollama.wire import Wire  # imports httpx2

        return Wire(self.endpoint, max_connections=self.settings.max_connections)


@contextmanager
def _limit(seconds: float | None) -> Generator[None]:
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise errors.TimeoutError(
            f"{CHAT} took longer than its timeout of {seconds:g} s", hint="raise parameters.timeout"
        )
