"""The HTTP side of one Ollama server. Imports httpx2, which start-up must not."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError, ValidationError
from gleitzeit_ollama.endpoint import Endpoint
from gleitzeit_ollama.faults import translated, within
from gleitzeit_ollama.foreign_json import JSON, json_object
from gleitzeit_ollama.refusals import Refusal, model_missing, not_ollama, refused, snippet
from gleitzeit_ollama.stream import Stream

_OK = 200
_NOT_FOUND = 404
_BODY_LIMIT = 8 * 1024 * 1024
_KEEP_SECONDS = 60.0
_CLOSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long an answer may be silent, in seconds: until its first line, and between two of them."""

    first: float
    idle: float


class Wire:
    """Requests to one server over connections that are kept; belongs to the event loop it was made in.

    Raises errors of `gleitzeit.core.errors` alone. At most `max_connections` streams are open at once, the rest
    wait in order; the small questions (`version`, `installed`) never wait.
    """

    def __init__(self, endpoint: Endpoint, *, max_connections: int, connect_timeout: float = 5.0) -> None:
        self.endpoint = endpoint
        self._shown = endpoint.shown
        self._open = True
        self._slots = anyio.Semaphore(max_connections)
        self._client = httpx2.AsyncClient(
            base_url=endpoint.url,
            # Proxies of the environment are honoured, but a server on this machine is never asked for through one.
            trust_env=not endpoint.loopback,
            # Loading certificates takes longer than all else here, and plain HTTP without a proxy needs none.
            verify=endpoint.secure or not endpoint.loopback,
            # A proxy that compresses would hold tokens back.
            headers={"accept-encoding": "identity", "user-agent": "gleitzeit"},
            timeout=httpx2.Timeout(None, connect=connect_timeout),
            limits=httpx2.Limits(
                max_connections=None, max_keepalive_connections=max_connections, keepalive_expiry=_KEEP_SECONDS
            ),
        )

    async def aclose(self) -> None:
        """Close all connections; streams that are still open fail."""
        self._open = False
        with translated(self._shown):
            await self._client.aclose()

    async def version(self, limit: float = 5.0) -> str:
        """The server's version, within `limit` seconds; that it has one tells that it is an Ollama."""
        version = (await self._get("/api/version", limit)).get("version")
        if not isinstance(version, str):
            raise not_ollama(self._shown, "it names no version")
        return version

    async def installed(self, limit: float = 10.0) -> list[str]:
        """The names of the models that the server has, within `limit` seconds."""
        models = (await self._get("/api/tags", limit)).get("models")
        if not is_list(models):
            raise not_ollama(self._shown, "it lists no models")
        return [str(model["name"]) for model in models if is_object(model) and "name" in model]

    @asynccontextmanager
    async def stream(self, path: str, payload: Mapping[str, Any], patience: Patience) -> AsyncGenerator[Stream]:
        """Send `payload` and open the answer, whose first line has come; leaving it early stops the server's work."""
        content = _encoded(payload)
        async with self._slots, AsyncExitStack() as stack:
            with within(patience.first, self._shown, "the model may still be loading", setting="load_timeout"):
                response = await self._send(stack, "POST", path, content)
                if response.status_code != _OK:
                    raise await self._refused(response, str(payload.get("model", "")))
                pieces = await stack.enter_async_context(aclosing(response.aiter_bytes()))
                stream = Stream(self._shown, pieces, patience.idle)
                await stream.open()
            yield stream

    async def _get(self, path: str, limit: float) -> JSON:
        with within(limit, self._shown, f"{path} was asked for"):
            async with AsyncExitStack() as stack:
                response = await self._send(stack, "GET", path)
                body = await self._body(response)
        if response.status_code != _OK:
            raise refused(self._refusal(response, body))
        answer = json_object(body)
        if answer is None:
            raise not_ollama(self._shown, f"{path} gives {snippet(body) or 'an empty answer'}")
        return answer

    async def _send(
        self, stack: AsyncExitStack, method: str, path: str, content: bytes | None = None
    ) -> httpx2.Response:
        if not self._open:
            message = f"the connections to Ollama at {self._shown} were closed: Gleitzeit is shutting down"
            raise ProviderUnavailableError(message, details={"endpoint": self._shown, "again": False})
        headers = {"content-type": "application/json"} if content is not None else {}
        request = self._client.build_request(method, path, content=content, headers=headers)
        with translated(self._shown):
            response = await self._client.send(request, stream=True)
        stack.push_async_callback(_close, response)
        return response

    async def _refused(self, response: httpx2.Response, model: str) -> GleitzeitError:
        refusal = self._refusal(response, await self._body(response))
        if refusal.status == _NOT_FOUND and refusal.words is not None:
            # Only its list of models tells a missing model from another program that has no such path.
            return model_missing(self._shown, model, await self.installed())
        return refused(refusal)

    def _refusal(self, response: httpx2.Response, body: bytes) -> Refusal:
        return Refusal(self._shown, response.status_code, body, response.headers.get("location"))

    async def _body(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        with translated(self._shown):
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) > _BODY_LIMIT:
                        break
        return bytes(body[:_BODY_LIMIT])


async def _close(response: httpx2.Response) -> None:
    # Shielded, for a cancelled task must hang up as well: that is what stops the model.
    with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
        await response.aclose()


def _encoded(payload: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"the parameters are no JSON data: {error}") from error
