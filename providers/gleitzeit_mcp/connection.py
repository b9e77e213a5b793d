"""One downstream server, for the life of the hub: connected, connected again, listed and called."""

from __future__ import annotations

import math
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import anyio
import pydantic
from mcp import Client, MCPError
from mcp_types import METHOD_NOT_FOUND
from mcp_types import Tool as WireTool

from gleitzeit.core import errors
from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit.core.groups import unwrapped
from gleitzeit.core.models import Failure
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.environment import fill_server
from gleitzeit_mcp.failures import call_failure, is_closed, loss, malformed, start_failure
from gleitzeit_mcp.links import Link, link_to
from gleitzeit_mcp.restarts import RestartPolicy
from gleitzeit_mcp.roots import OfferedRoots
from gleitzeit_mcp.sieve import Sieve
from gleitzeit_mcp.tools import Tool, method_of

State = Literal["starting", "ready", "degraded", "restarting", "stopped", "failed"]
Progress = Callable[[float, float | None, str | None], Awaitable[None]]

START_LIMIT = 60.0
"""Seconds a server without a `timeout` of its own has to become ready; the first `npx -y` downloads a package."""

ROOTS_PAUSE = 0.25
"""Seconds that a server gets to take in the roots it asked for, before it counts as ready."""

RETRY_AFTER = 1.0
"""Seconds that must lie between a failed start and the next one that a call may bring about."""


@dataclass(frozen=True, slots=True)
class _Session:
    """What stands while a connection stands."""

    client: Client
    link: Link
    lost: anyio.Event


class Connection:
    """One server: `supervise` runs for the hub's life and owns its client, any other task may use it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.state: State = "starting" if server.auto_start else "stopped"
        self.tools: Mapping[str, Tool] = {}
        self.protocol_version: str | None = None
        self.error: GleitzeitError | None = None
        self.restarts = 0
        self._policy = RestartPolicy(server.max_restarts if server.restart_on_failure else 0)
        self._restarted_at: list[float] = []
        self._failed_at = -math.inf
        self._session: _Session | None = None
        self._changed = anyio.Event()
        self._wanted = anyio.Event()

    def is_up(self) -> bool:
        """Whether a call would be sent at once."""
        return self._session is not None and not self._session.lost.is_set()

    async def next_change(self) -> None:
        """Return when its state changes next."""
        await self._changed.wait()

    def to_dict(self) -> dict[str, Any]:
        """The server as `mcp/servers` shows it."""
        return {
            "name": self.server.name,
            "state": self.state,
            "transport": self.server.connection_type,
            "protocol_version": self.protocol_version,
            "tools": len(self.tools),
            "restarts": self.restarts,
            "last_error": str(Failure.of(self.error)) if self.error else None,
        }

    async def supervise(self) -> None:
        """Keep the server connected until cancelled; its failures never leave this task."""
        try:
            if not self.server.auto_start:
                await self._wanted.wait()
            while True:
                was_ready = await self._live()
                delay = self._policy.delay(self._restarted_at, anyio.current_time()) if was_ready else None
                await self._pause(delay)
        finally:
            self._session = None
            self._enter("stopped")

    async def _pause(self, delay: float | None) -> None:
        """Wait for the next start: for a time, or, where it is given up, for a call that needs it."""
        if delay is None:
            self._failed_at = anyio.current_time()
            self._wanted = anyio.Event()
            self._enter("failed")
            await self._wanted.wait()
        else:
            self._enter("restarting")
            await anyio.sleep(delay)
            self._restarted_at = [*self._restarted_at, anyio.current_time()][-self._policy.limit :]
        self.restarts += 1

    async def _live(self) -> bool:
        """One connection, from its start to its end; whether it was ever ready."""
        if self.state != "restarting":
            self._enter("starting")
        lost = anyio.Event()
        link: Link | None = None
        failure: Exception | None = None
        try:
            filled = fill_server(self.server, os.environ)
            link = link_to(filled, lost)
            await self._hold(filled, link, lost)
        except Exception as error:  # noqa: BLE001  # whatever one server does, the others and the hub go on
            failure = error
        was_ready, self._session = self._session is not None, None
        diagnosis = link.diagnosis() if link else ""
        if failure is None or was_ready:
            self.error = loss(self.server.name, diagnosis)
        else:
            self.error = start_failure(self.server.name, failure, diagnosis)
        return was_ready

    async def _hold(self, filled: Server, link: Link, lost: anyio.Event) -> None:
        limit = filled.timeout or START_LIMIT
        timer = anyio.CancelScope()
        async with unwrapped(anyio.create_task_group()) as tasks:
            tasks.start_soon(self._expire, limit, timer, link)
            with anyio.CancelScope(deadline=anyio.current_time() + limit) as scope:
                try:
                    await self._connected(filled, link, lost, scope, timer)
                finally:
                    timer.cancel()
        if scope.cancelled_caught:
            raise self._late(limit, link)

    async def _connected(
        self, filled: Server, link: Link, lost: anyio.Event, start: anyio.CancelScope, timer: anyio.CancelScope
    ) -> None:
        roots = OfferedRoots(filled.roots) if filled.roots else None
        sieve = Sieve()
        transport = sieve.before(link.connect())
        # The SDK's own cache would hide tools that changed.
        async with Client(transport, mode=filled.mode, list_roots_callback=roots, cache=None) as client:
            self.tools, problem = await _listed(client, self.server, sieve)
            if roots is not None and roots.asked:
                # A server of the older era refuses calls until it has looked at the roots it asked for, and
                # nothing in the protocol says that it has.
                await anyio.sleep(ROOTS_PAUSE)
                self.tools, problem = await _listed(client, self.server, sieve)
            self.protocol_version = client.protocol_version
            # The limit is that of the start alone: from here on it lives as long as it can.
            start.deadline = math.inf
            timer.cancel()
            self._session = _Session(client, link, lost)
            self.error = problem
            self._enter("degraded" if problem else "ready")
            await lost.wait()

    async def _expire(self, limit: float, timer: anyio.CancelScope, link: Link) -> None:
        """Tell that the start has failed when its time is over, and not only when its remains are put away."""
        with timer:
            await anyio.sleep(limit)
            self.error = start_failure(self.server.name, self._late(limit, link), "")
            self._failed_at = anyio.current_time()
            self._enter("failed")

    def _late(self, limit: float, link: Link) -> errors.TimeoutError:
        return errors.TimeoutError(
            f'server "{self.server.name}" did not answer within {limit:g} s of its start ({link.diagnosis()})',
            hint="see what it does when started by hand, or give it a longer `timeout`",
        )

    def _enter(self, state: State) -> None:
        self.state = state
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def ready(self, limit: float | None = None) -> None:
        """Return as soon as calls can be sent, starting the server where nobody has.

        Raises `ProviderUnavailableError` with the reason where it failed, or is not up within `limit` seconds.
        """
        if self.is_up():
            return
        self.wake(retry=True)
        with anyio.move_on_after(limit):
            while not self.is_up():
                if self.state == "failed":
                    raise self.unavailable()
                await self.next_change()
            return
        raise self.unavailable()

    def wake(self, *, retry: bool) -> None:
        """Start the server where it waits for its use; `retry` also starts one that failed, but not at once again."""
        rested = anyio.current_time() - self._failed_at >= RETRY_AFTER
        if self.state == "stopped" or (retry and self.state == "failed" and rested):
            self.state = "starting"
            self._wanted.set()

    async def settled(self) -> None:
        """Return as soon as it is known whether the server works."""
        while self.state in ("starting", "restarting"):
            await self.next_change()

    def unavailable(self) -> ProviderUnavailableError:
        """Why no call can be sent now."""
        if isinstance(self.error, ProviderUnavailableError):
            return self.error
        return ProviderUnavailableError(
            f'server "{self.server.name}" is {self.state}', hint="mcp/servers shows the state of each server"
        )

    async def call(self, tool: str, arguments: dict[str, Any], on_progress: Progress) -> Mapping[str, Any]:
        """Call a tool and return the answer in its wire form.

        Cancelling the call cancels it in the server. Raises `ConnectionLostError` where the connection broke after
        the call was sent, `TimeoutError` after the server's own `timeout`, `ProviderUnavailableError` before.
        """
        session = self._session
        if session is None or session.lost.is_set():
            raise self.unavailable()

        async def report(progress: float, total: float | None, message: str | None) -> None:
            await on_progress(progress, total, message)

        with anyio.move_on_after(self.server.timeout):
            try:
                answer = await session.client.call_tool(tool, arguments, progress_callback=report)
            except Exception as error:  # the edge to the SDK: whatever it raises is translated here
                if is_closed(error):
                    session.lost.set()
                raise call_failure(self.server.name, tool, error) from error
            return answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        raise errors.TimeoutError(
            f'server "{self.server.name}", tool "{tool}": no answer within {self.server.timeout:g} s',
            hint="give the server a longer `timeout` in the configuration",
        )


async def _listed(client: Client, server: Server, sieve: Sieve) -> tuple[Mapping[str, Tool], GleitzeitError | None]:
    try:
        tools = await _pages(client, sieve)
    except MCPError as error:
        if is_closed(error):
            raise
        problem = None if error.code == METHOD_NOT_FOUND else call_failure(server.name, "tools/list", error)
        return {}, problem
    offered = {tool.name: _tool(server, tool) for tool in tools if server.offers(tool.name)}
    return offered, malformed(server.name, sieve.dropped) if sieve.dropped else None


async def _pages(client: Client, sieve: Sieve) -> list[WireTool]:
    tools: list[WireTool] = []
    cursor: str | None = None
    while True:
        try:
            page = await client.list_tools(cursor=cursor)
        except pydantic.ValidationError:
            if sieve.version is not None:
                raise
            sieve.version = client.protocol_version
            page = await client.list_tools(cursor=cursor)
        tools += page.tools
        cursor = page.next_cursor
        if cursor is None:
            return tools


def _tool(server: Server, tool: WireTool) -> Tool:
    hints = tool.annotations
    return Tool(
        server=server.name,
        name=tool.name,
        method=method_of(server, tool.name),
        description=tool.description or tool.title or "",
        input_schema=tool.input_schema,
        output_schema=tool.output_schema,
        read_only=bool(hints and hints.read_only_hint),
        idempotent=bool(hints and hints.idempotent_hint) or server.declares_idempotent(tool.name),
    )
