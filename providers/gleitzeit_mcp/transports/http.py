"""Streamable HTTP: each message is a POST, and an answer is JSON or an event stream."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import ClassVar

import anyio
import httpx2
from anyio.abc import TaskGroup
from mcp_types import METHOD_NOT_FOUND

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit_mcp.transports.base import Message, Receiver, RequestId
from gleitzeit_mcp.transports.client import (
    BROKEN,
    answer,
    json_in,
    media_type,
    open_client,
    refusal_of,
    start_of,
    translated,
)
from gleitzeit_mcp.transports.feed import Feed
from gleitzeit_mcp.transports.marks import Marks
from gleitzeit_mcp.transports.messages import deliver, encoded
from gleitzeit_mcp.transports.post import Post
from gleitzeit_mcp.transports.refusals import TOO_MANY, UNAVAILABLE, refused
from gleitzeit_mcp.transports.remote import Remote
from gleitzeit_mcp.transports.url import UrlTransport

logger = logging.getLogger(__name__)

_EVENTS = "text/event-stream"
_NOTICE_LIMIT = 30.0
_FAREWELL_LIMIT = 2.0
_MOST_FAILURES = 5
_FORGOTTEN = "it no longer knows the session"
# The answer of a gateway or guard in front of the server, whatever its body says.
_NOT_THE_SERVER = frozenset({401, 403, TOO_MANY, 502, UNAVAILABLE, 504})


class HttpTransport(UrlTransport):
    """A server that is reached by streamable HTTP."""

    sends_headers: ClassVar[bool] = True

    @asynccontextmanager
    async def connect(self, receiver: Receiver) -> AsyncGenerator[HttpWire]:
        """Be ready to send; whether there is a server shows with the first request."""
        async with open_client(self._headers, self._auth) as client, anyio.create_task_group() as tasks:
            wire = HttpWire(self._remote, client, tasks, receiver, self._count_junk)
            try:
                yield wire
            finally:
                tasks.cancel_scope.cancel()
                receiver.ended()
                await wire.close()
                self._fault = wire.fault


class HttpWire:
    """The requests in flight to one server, its stream of messages of its own, and its session if it has one."""

    def __init__(
        self,
        remote: Remote,
        client: httpx2.AsyncClient,
        tasks: TaskGroup,
        receiver: Receiver,
        junk: Callable[[], None],
    ) -> None:
        self.fault = ""
        self._closed = False
        self._remote = remote
        self._client = client
        self._tasks = tasks
        self._receiver = receiver
        self._junk = junk
        self._marks = Marks()
        self._posts: dict[RequestId, Post] = {}

    async def send(self, message: Message, headers: Mapping[str, str] | None = None) -> None:
        """Start a request, or see a notification or an answer to its end.

        Raises `ConnectionLostError` where a notification or an answer does not get through.
        """
        if self.fault or self._closed:
            raise ConnectionLostError(self.fault or "the connection is closed", ambiguous=False)
        method = message.get("method")
        cancelled = self._cancelled(message) if method == "notifications/cancelled" else None
        if method == "notifications/cancelled" and self._marks.modern:
            # Closing the stream is what cancels in this era; there are no notifications to the server.
            return self._end_post(cancelled)
        stamped = self._marks.of(message, headers)
        if method is not None and "id" in message:
            post = Post(message, self._remote, self._marks, self._receiver, self._junk)
            self._posts[post.id] = post
            self._tasks.start_soon(self._carry, post, stamped)
            return None
        await self._notify(message, stamped)
        self._end_post(cancelled)
        if method == "notifications/initialized" and self._marks.session:
            self._tasks.start_soon(self._listen)
        return None

    async def close(self) -> None:
        """Take no more, and end the session, if the server named one and still knows it."""
        self._closed = True
        if self._marks.session is None or self.fault:
            return
        with anyio.move_on_after(_FAREWELL_LIMIT, shield=True):
            try:
                with translated(self._remote):
                    async with answer(self._client, "DELETE", self._remote.url, self._marks.of_end()) as response:
                        logger.debug("%s: the end of the session: HTTP %d", self._remote.subject, response.status_code)
            except GleitzeitError as error:
                logger.debug("%s: the end of the session could not be told: %s", self._remote.subject, error)

    def _cancelled(self, message: Message) -> Post | None:
        params = message.get("params")
        cancelled = params.get("requestId") if is_object(params) else None
        return self._posts.get(cancelled) if cancelled is not None else None

    def _end_post(self, post: Post | None) -> None:
        if post is not None:
            post.answered = True
            post.scope.cancel()

    async def _carry(self, post: Post, headers: httpx2.Headers) -> None:
        try:
            with post.scope, translated(self._remote):
                await self._exchange(post, headers)
                if not post.answered:
                    raise self._no_answer()
        except GleitzeitError as error:
            post.failed(post.id, error)
        finally:
            if self._posts.get(post.id) is post:
                del self._posts[post.id]

    async def _exchange(self, post: Post, headers: httpx2.Headers) -> None:
        async with answer(self._client, "POST", self._remote.url, headers, post.body) as response:
            if response.status_code >= 300:
                return await self._take_refusal(post, response, headers)
            self._marks.learn(post.method, response)
            if media_type(response) == "application/json":
                return await post.read_body(response)
            if media_type(response) != _EVENTS:
                raise self._no_message(response)
            try:
                await post.read_events(response)
            except BROKEN:
                if not post.resumable:
                    raise
        if post.resumable:
            await self._resume(post)
        return None

    async def _resume(self, post: Post) -> None:
        """Take up a stream that ended before the answer, as servers of the older era allow."""
        failures = 0
        while post.resumable:
            await anyio.sleep(post.feed.pause(failures))
            headers = self._marks.of_stream(post.feed.last_id)
            try:
                async with answer(self._client, "GET", self._remote.url, headers) as response:
                    if response.status_code != 200 or media_type(response) != _EVENTS:
                        raise self._no_answer()
                    failures = 0
                    await post.read_events(response)
            except BROKEN:
                failures += 1
                if failures == _MOST_FAILURES:
                    raise

    async def _take_refusal(self, post: Post, response: httpx2.Response, headers: httpx2.Headers) -> None:
        body = await start_of(response)
        error = _error_in(response, body)
        if _is_forgotten(response, headers) and not (error and error.get("code") == METHOD_NOT_FOUND):
            post.failed(post.id, ProviderUnavailableError(_FORGOTTEN, details={"server": self._remote.name}))
            return self._end()
        if error is not None and response.status_code not in _NOT_THE_SERVER:
            return post.received({"jsonrpc": "2.0", "error": error})
        raise refused(self._remote, await refusal_of(self._remote, response, body), post.method)

    async def _notify(self, message: Message, headers: httpx2.Headers) -> None:
        try:
            with anyio.fail_after(_NOTICE_LIMIT), translated(self._remote):
                async with answer(self._client, "POST", self._remote.url, headers, encoded(message)) as response:
                    if _is_forgotten(response, headers):
                        self._end()
                        raise ConnectionLostError(self.fault)
                    if response.status_code >= 300:
                        refusal = await refusal_of(self._remote, response)
                        logger.warning("%s: %s", self._remote.subject, refused(self._remote, refusal))
        except TimeoutError:
            raise ConnectionLostError("it did not take a notification in time") from None
        except GleitzeitError as error:
            raise ConnectionLostError(error.message, hint=error.hint, details=error.details) from error

    async def _listen(self) -> None:
        """Hold the stream of the server's own messages open, for as long as it offers one."""
        feed, failures, offered = Feed(self._remote), 0, False
        while not self.fault:
            headers = self._marks.of_stream(feed.last_id)
            try:
                with translated(self._remote):
                    async with answer(self._client, "GET", self._remote.url, headers) as response:
                        if response.status_code == 200 and media_type(response) == _EVENTS:
                            failures, offered = 0, True
                            await self._read_own(feed, response)
                        elif offered and _is_forgotten(response, headers):
                            return self._end()
                        elif response.status_code < 500 and response.status_code != TOO_MANY:
                            logger.debug("%s offers no stream: HTTP %d", self._remote.subject, response.status_code)
                            return None
                        else:
                            failures += 1
            except GleitzeitError as error:
                failures += 1
                logger.debug("%s: its stream broke: %s", self._remote.subject, self._remote.quoted(str(error)))
                if isinstance(error, ProviderUnavailableError) and not error.retryable:
                    return None  # it wants a login
            await anyio.sleep(feed.pause(failures))
        return None

    async def _read_own(self, feed: Feed, response: httpx2.Response) -> None:
        async for event in feed.events(response):
            if event.event == "message" and event.data and not deliver(event.data.encode(), self._receiver):
                self._junk()

    def _end(self) -> None:
        """Say that the server no longer knows the session, once."""
        if not self.fault:
            self.fault = _FORGOTTEN
            self._receiver.ended()

    def _no_answer(self) -> ConnectionLostError:
        return ConnectionLostError("the stream ended before the answer", details={"server": self._remote.name})

    def _no_message(self, response: httpx2.Response) -> ProviderError:
        what = self._remote.quoted(media_type(response)) or "nothing"
        return ProviderError(
            f"it answered with {what} instead of a message (HTTP {response.status_code})",
            hint=f"check whether {self._remote.place} is the endpoint of an MCP server",
            retryable=False,
            details={"server": self._remote.name, "status": response.status_code},
        )


def _is_forgotten(response: httpx2.Response, headers: httpx2.Headers) -> bool:
    return response.status_code == 404 and "mcp-session-id" in headers


def _error_in(response: httpx2.Response, body: bytes) -> dict[str, object] | None:
    """The error of JSON-RPC that a refusal holds, if it holds one."""
    if media_type(response) != "application/json":
        return None
    value = json_in(body)
    error = value.get("error") if is_object(value) and value.get("jsonrpc") == "2.0" else None
    return error if is_object(error) else None
