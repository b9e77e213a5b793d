"""HTTP to one server over connections that are kept. Imports httpx2, which start-up must not."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

import anyio
import httpx2

from gleitzeit.core.errors import LimitError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import current_task
from gleitzeit.providers.tracing import trace_of
from gleitzeit_ollama.addresses import Endpoint
from gleitzeit_ollama.wire.faults import translated
from gleitzeit_ollama.wire.refusals import WHERE, Refusal, refused

BODY_LIMIT = 64 * 1024 * 1024
"""The largest whole answer, in bytes."""

_OK = 200
_REFUSAL_LIMIT = 64 * 1024
_KEEP_SECONDS = 60.0
_CLOSE_SECONDS = 1.0


class Connection:
    """Requests to one server; belongs to the event loop it was made in. Raises errors of `gleitzeit.core.errors`."""

    def __init__(self, endpoint: Endpoint, *, kept: int, connect_timeout: float) -> None:
        self.shown = endpoint.shown
        self._open = True
        self._base = endpoint.url
        self._urls: dict[str, httpx2.URL] = {}
        self._client = _client(endpoint, kept, connect_timeout)

    async def aclose(self) -> None:
        """Close all connections; what is still being answered fails."""
        self._open = False
        with translated(self.shown):
            await self._client.aclose()

    @asynccontextmanager
    async def answered(
        self, method: str, path: str, payload: Mapping[str, Any] | None = None
    ) -> AsyncGenerator[httpx2.Response]:
        """Send a request whose answer has status 200 and can be read; leaving early hangs up at once.

        Raises what any other status stands for.
        """
        response = await self._sent(method, path, payload)
        try:
            if response.status_code != _OK:
                body = await self._beginning(response)
                raise refused(Refusal(self.shown, response.status_code, body, response.headers.get("location")))
            yield response
        finally:
            # Shielded, for a cancelled task must hang up as well: that is what stops the model.
            with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                await response.aclose()

    async def body(self, response: httpx2.Response) -> bytes:
        """All of an answer. Raises `LimitError` where it is longer than 64 MiB."""
        body = await self._beginning(response, BODY_LIMIT)
        if len(body) > BODY_LIMIT:
            message = f"Ollama at {self.shown} sent an answer of more than {BODY_LIMIT:,} bytes"
            raise LimitError(message, hint="ask for less at once")
        return body

    async def _sent(self, method: str, path: str, payload: Mapping[str, Any] | None) -> httpx2.Response:
        if not self._open:
            message = f"the connections to Ollama at {self.shown} were closed: Gleitzeit is shutting down"
            raise ProviderUnavailableError(message, details={"endpoint": self.shown, "again": False})
        content = None if payload is None else _encoded(payload)
        headers = None if payload is None else {"content-type": "application/json", **trace_of(current_task())}
        try:
            request = self._client.build_request(method, self._url(path), content=content, headers=headers)
        except httpx2.InvalidURL as error:
            details = {"endpoint": self.shown, "again": False}
            raise ProviderUnavailableError(
                f"no host can be at {self.shown}: {error}", hint=WHERE, details=details
            ) from error
        with translated(self.shown):
            return await self._client.send(request, stream=True)

    def _url(self, path: str) -> httpx2.URL:
        url = self._urls.get(path)
        if url is None:  # read once: that takes longer than the rest of a request's head
            url = self._urls[path] = httpx2.URL(self._base + path)
        return url

    async def _beginning(self, response: httpx2.Response, limit: int = _REFUSAL_LIMIT) -> bytes:
        body = bytearray()
        with translated(self.shown):
            async with aclosing(response.aiter_bytes()) as pieces:
                async for piece in pieces:
                    body += piece
                    if len(body) > limit:
                        break
        return bytes(body)


def _client(endpoint: Endpoint, kept: int, connect_timeout: float) -> httpx2.AsyncClient:
    try:
        return httpx2.AsyncClient(
            # Proxies of the environment are honoured, but a server on this machine is never asked for through one.
            trust_env=not endpoint.loopback,
            # Loading certificates takes longer than all else here, and plain HTTP without a proxy needs none.
            verify=endpoint.secure or not endpoint.loopback,
            # A proxy that compresses would hold tokens back.
            headers={"accept-encoding": "identity", "user-agent": "gleitzeit"},
            timeout=httpx2.Timeout(None, connect=connect_timeout),
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=kept, keepalive_expiry=_KEEP_SECONDS),
        )
    except (ImportError, ValueError, httpx2.InvalidURL, OSError) as error:
        # The endpoint was checked before: what is wrong is a proxy or certificates that the environment names.
        raise ProviderUnavailableError(
            f"Ollama at {endpoint.shown} cannot be asked through what the environment names: {error}",
            hint="mend HTTP_PROXY, HTTPS_PROXY, ALL_PROXY or SSL_CERT_FILE, or name the host in NO_PROXY",
            details={"endpoint": endpoint.shown, "again": False},
        ) from error


def _encoded(payload: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(payload, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise ValidationError(f"the parameters are no JSON data: {error}") from error
