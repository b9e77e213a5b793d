"""The older HTTP with SSE: one event stream brings all messages, and names where they are posted to."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, asynccontextmanager

import anyio
import httpx2
from anyio.abc import TaskGroup

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderUnavailableError
from gleitzeit_mcp.transports.base import Message, Receiver
from gleitzeit_mcp.transports.client import (
    CONNECT_LIMIT,
    answer,
    media_type,
    open_client,
    origin,
    refusal_of,
    translated,
)
from gleitzeit_mcp.transports.feed import Feed
from gleitzeit_mcp.transports.messages import deliver, encoded
from gleitzeit_mcp.transports.refusals import not_let_in, refused
from gleitzeit_mcp.transports.remote import Remote
from gleitzeit_mcp.transports.url import UrlTransport

_NOTICE_LIMIT = 30.0

Events = AsyncGenerator[httpx2.ServerSentEvent]


class SseTransport(UrlTransport):
    """A server that is reached by the older HTTP with SSE."""

    @asynccontextmanager
    async def connect(self, receiver: Receiver) -> AsyncGenerator[SseWire]:
        """Open the stream, and wait for the server to name its endpoint."""
        async with (
            open_client(self._headers, self._auth) as client,
            self._stream(client) as response,
            aclosing(Feed(self._remote).events(response)) as events,
        ):
            endpoint = await self._endpoint(events)
            async with anyio.create_task_group() as tasks:
                wire = SseWire(self._remote, endpoint, client, tasks, receiver)
                tasks.start_soon(self._read, events, wire)
                try:
                    yield wire
                finally:
                    tasks.cancel_scope.cancel()
                    wire.end("the connection is closed")

    @asynccontextmanager
    async def _stream(self, client: httpx2.AsyncClient) -> AsyncGenerator[httpx2.Response]:
        opening = answer(client, "GET", self._remote.url, {"accept": "text/event-stream", "cache-control": "no-store"})
        with translated(self._remote):
            response = await opening.__aenter__()
        try:
            if response.status_code != 200:
                raise not_let_in(self._remote, await refusal_of(self._remote, response))
            if media_type(response) != "text/event-stream":
                raise self._no_stream(f"it answered with {media_type(response) or 'nothing'}, not with an event stream")
            yield response
        finally:
            await opening.__aexit__(None, None, None)

    async def _endpoint(self, events: Events) -> str:
        try:
            with anyio.fail_after(CONNECT_LIMIT), translated(self._remote):
                async for event in events:
                    if event.event == "endpoint":
                        return self._within_origin(event.data)
        except (TimeoutError, ConnectionLostError) as error:
            raise self._no_stream("its event stream named no endpoint") from error
        raise self._no_stream("its event stream ended without naming an endpoint")

    def _within_origin(self, named: str) -> str:
        own = httpx2.URL(self._remote.url)
        endpoint = own.join(named)
        if origin(endpoint) != origin(own):
            raise self._no_stream("it names an endpoint on another host, which was not used")
        return str(endpoint)

    def _no_stream(self, problem: str) -> ProviderUnavailableError:
        return ProviderUnavailableError(
            problem,
            hint="check its url; a server of streamable HTTP needs connection_type http",
            retryable=False,
            details={"server": self._remote.name},
        )

    async def _read(self, events: Events, wire: SseWire) -> None:
        try:
            with translated(self._remote):
                async for event in events:
                    if event.event == "message" and event.data and not deliver(event.data.encode(), wire.receiver):
                        self._count_junk()
            self._fault = "it ended the event stream"
        except GleitzeitError as error:
            self._fault = error.message
        wire.end(self._fault)


class SseWire:
    """An open stream, and the endpoint that messages are posted to."""

    def __init__(
        self, remote: Remote, endpoint: str, client: httpx2.AsyncClient, tasks: TaskGroup, receiver: Receiver
    ) -> None:
        self.receiver = receiver
        self._remote = remote
        self._endpoint = endpoint
        self._client = client
        self._tasks = tasks
        self._fault = ""

    async def send(self, message: Message, headers: Mapping[str, str] | None = None) -> None:
        """Start to post a request, or see a notification or an answer to its end.

        Raises `ConnectionLostError` where the stream is gone, or where a notification does not get through.
        """
        if self._fault:
            raise ConnectionLostError(self._fault, ambiguous=False)
        if "method" in message and "id" in message:
            self._tasks.start_soon(self._request, message, headers)
            return
        try:
            with anyio.fail_after(_NOTICE_LIMIT):
                await self._post(message, headers)
        except TimeoutError:
            raise ConnectionLostError("it did not take a notification in time") from None
        except GleitzeitError as error:
            raise ConnectionLostError(error.message, hint=error.hint, details=error.details) from error

    def end(self, fault: str) -> None:
        """Say that nothing more comes, once."""
        if not self._fault:
            self._fault = fault
            self.receiver.ended()

    async def _request(self, message: Message, headers: Mapping[str, str] | None) -> None:
        try:
            await self._post(message, headers)
        except GleitzeitError as error:
            self.receiver.failed(message["id"], error)

    async def _post(self, message: Message, headers: Mapping[str, str] | None) -> None:
        stamped = {**(headers or {}), "content-type": "application/json"}
        with translated(self._remote):
            async with answer(self._client, "POST", self._endpoint, stamped, encoded(message)) as response:
                if response.status_code >= 300:
                    refusal = await refusal_of(self._remote, response)
                    raise refused(self._remote, refusal, message.get("method"))
