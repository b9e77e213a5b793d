"""What one Ollama server is asked for. Imports httpx2, which start-up must not."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from typing import Any

from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.wire.connection import Connection
from gleitzeit_ollama.wire.foreign_json import JSON, json_object
from gleitzeit_ollama.wire.inventory import Installed, Loaded, installed, loaded
from gleitzeit_ollama.wire.patience import Patience, within
from gleitzeit_ollama.wire.refusals import not_ollama, snippet
from gleitzeit_ollama.wire.stream import Stream, is_done

_GREETING = b"Ollama is running"
_LOOK_SECONDS = 5.0
_LONGEST_VERSION = 100


class NodeClient:
    """Requests to one server over connections that are kept; belongs to the event loop it was made in.

    Raises errors of `gleitzeit.core.errors` alone. The small questions take a few seconds at most.
    """

    def __init__(self, endpoint: Endpoint, *, max_connections: int = 16, connect_timeout: float = 5.0) -> None:
        self.endpoint = endpoint
        self._shown = endpoint.shown
        self._connection = Connection(endpoint, kept=max_connections, connect_timeout=connect_timeout)

    async def aclose(self) -> None:
        """Close all connections; streams that are still open fail."""
        await self._connection.aclose()

    async def greet(self) -> None:
        """Raise `ProviderError` where the server does not greet as an Ollama does."""
        body = await self._got("/")
        if _GREETING not in body:
            raise not_ollama(self._shown, f"it greets with {snippet(body) or 'nothing'}")

    async def version(self) -> str:
        """The server's version; that it has one tells that it is an Ollama."""
        version = (await self._asked("/api/version")).get("version")
        if not isinstance(version, str) or len(version) > _LONGEST_VERSION:
            raise not_ollama(self._shown, "it names no version")
        return version

    async def tags(self) -> tuple[Installed, ...]:
        """The models that the server has."""
        models = installed(await self._asked("/api/tags"))
        if models is None:
            raise not_ollama(self._shown, "it lists no models")
        return models

    async def loaded(self) -> tuple[Loaded, ...]:
        """The models that the server holds in memory."""
        models = loaded(await self._asked("/api/ps"))
        if models is None:
            raise not_ollama(self._shown, "it does not tell which models are loaded")
        return models

    async def post(self, path: str, payload: Mapping[str, Any], patience: Patience) -> JSON:
        """Send `payload` and return the whole answer, which has to be there within the first limit."""
        body = b""
        with patience.until_first(self._shown):
            async with self._connection.answered("POST", path, payload) as response:
                patience.begun = True
                body = await self._connection.body(response)
        return self._object(path, body)

    @asynccontextmanager
    async def stream(
        self,
        path: str,
        payload: Mapping[str, Any],
        patience: Patience,
        is_last: Callable[[JSON], bool] = is_done,
    ) -> AsyncGenerator[Stream]:
        """Send `payload` and open the answer, whose first object has come; leaving early stops the server's work."""
        async with AsyncExitStack() as stack:
            with patience.until_first(self._shown):
                response = await stack.enter_async_context(self._connection.answered("POST", path, payload))
                pieces = await stack.enter_async_context(aclosing(response.aiter_bytes()))
                stream = Stream(self._shown, pieces, patience, is_last)
                await stream.open()
            yield stream

    def pull(self, model: str, patience: Patience) -> AbstractAsyncContextManager[Stream]:
        """Have the server fetch a model; the objects tell its `status`, and the `completed` of `total` bytes."""
        return self.stream("/api/pull", {"model": model, "stream": True}, patience, _is_fetched)

    async def _asked(self, path: str) -> JSON:
        return self._object(path, await self._got(path))

    async def _got(self, path: str) -> bytes:
        body = b""
        with within(_LOOK_SECONDS, self._shown, f"{path} was asked for"):
            async with self._connection.answered("GET", path) as response:
                body = await self._connection.body(response)
        return body

    def _object(self, path: str, body: bytes) -> JSON:
        answer = json_object(body)
        if answer is None:
            raise not_ollama(self._shown, f"{path} gives {snippet(body) or 'an empty answer'}")
        return answer


def _is_fetched(value: JSON) -> bool:
    return value.get("status") == "success"
