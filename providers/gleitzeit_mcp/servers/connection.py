"""One downstream server, for the life of the hub: connected, connected again, listed and called."""

from __future__ import annotations

import math
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal, TypeVar

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core import errors
from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit.core.groups import unwrapped
from gleitzeit_mcp.catalog.tools import Tool
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.credentials.redaction import redactor
from gleitzeit_mcp.environment import fill_server
from gleitzeit_mcp.failures import cause_of, loss, redacted, start_failure
from gleitzeit_mcp.processes.guard import Guard
from gleitzeit_mcp.servers.line import Line
from gleitzeit_mcp.servers.listing import take_in_tools
from gleitzeit_mcp.servers.liveness import Pulse, listen
from gleitzeit_mcp.servers.memory import Memory
from gleitzeit_mcp.servers.nesting import VARIABLE, Place
from gleitzeit_mcp.servers.reach import transport_to
from gleitzeit_mcp.servers.restarts import RestartPolicy, jittered
from gleitzeit_mcp.servers.roots import OfferedRoots
from gleitzeit_mcp.session.answering import Handler
from gleitzeit_mcp.session.capabilities import client_capabilities
from gleitzeit_mcp.session.eras import Agreement, ProbeLostError, agree, stamped
from gleitzeit_mcp.session.errors import RemoteError
from gleitzeit_mcp.session.session import Session
from gleitzeit_mcp.transports.base import Transport

Answer = TypeVar("Answer")
State = Literal["starting", "ready", "degraded", "restarting", "stopped", "failed"]

START_LIMIT = 60.0
"""Seconds a server without a `timeout` of its own has to become ready; the first `npx -y` downloads a package."""

LIST_PAUSE = 1.0
"""Seconds between two lists of tools that a server wants to be asked for."""

RETRY_AFTER = 1.0
"""Seconds that must lie between a failed start and the next one that a call may bring about."""


class Connection:
    """One server: `supervise` runs for the hub's life and owns its connection, any other task may use it."""

    def __init__(
        self, server: Server, place: Place, guard: Guard, changed: Callable[[], None], *, sampling: bool = False
    ) -> None:
        self.server = server
        self._tell = changed
        self.state: State = "starting" if server.auto_start else "stopped"
        self._error: GleitzeitError | None = None
        self.restarts = 0
        self.calls = 0
        self.roots = OfferedRoots(server.roots) if server.roots else None
        self._turn = anyio.Lock()
        self._memory = Memory(server)
        self._place = place
        self._guard = guard
        self._capabilities = client_capabilities(roots=self.roots is not None, sampling=sampling)
        self._policy = RestartPolicy(server.max_restarts if server.restart_on_failure else 0)
        self._restarted_at: list[float] = []
        self._failed_at = -math.inf
        self._redact: Callable[[str], str] = str
        self._greets = self._was_modern = False
        self._transport: Transport | None = None
        self._line: Line | None = None
        self._changed = anyio.Event()
        self._wanted = anyio.Event()
        self._outdated = anyio.Event()

    @property
    def error(self) -> GleitzeitError | None:
        """What is wrong with it, without the secrets of its settings."""
        return self._error

    @error.setter
    def error(self, error: GleitzeitError | None) -> None:
        self._error = None if error is None else redacted(error, self._redact)

    @property
    def tools(self) -> Mapping[str, Tool]:
        """Its tools as it last listed them; of a server that was not started yet, as it did another time."""
        return self._memory.tools

    @property
    def listed(self) -> bool:
        """Whether it has listed its tools in this life of the hub."""
        return self._memory.listed

    def at_hand(self, tool: str) -> Tool | None:
        """A tool that it has listed in this life of the hub, where a call of it would be sent at once."""
        memory = self._memory
        return memory.tools.get(tool) if memory.listed and self.is_up() else None

    def is_up(self) -> bool:
        """Whether a call would be sent at once."""
        return self._line is not None and not self._line.session.is_over()

    def line(self) -> Line:
        """The connection as it stands. Raises `ProviderUnavailableError` with the reason where it does not."""
        if self._line is None or self._line.session.is_over():
            raise self.unavailable()
        return self._line

    async def carry(self, limit: float, request: Callable[[Line], Awaitable[Answer]]) -> Answer:
        """Make one request, of a task that can wait `limit` seconds for its turn, on the connection as it stands.

        A server of the older era that asks for things gets one request at a time, for nothing would say which of
        several it asks for. Raises `ProviderUnavailableError` where it is not connected.
        """
        line = self.line()
        self.calls += 1
        try:
            if self._memory.asks and not line.agreement.modern:
                async with self._in_turn(limit):
                    return await request(line)
            return await request(line)
        finally:
            self.calls -= 1
            if line.session.asks:
                self._memory.note_asking()

    @asynccontextmanager
    async def _in_turn(self, limit: float) -> AsyncGenerator[None]:
        with anyio.move_on_after(limit) as scope:
            await self._turn.acquire()
        if scope.cancelled_caught:
            raise ProviderUnavailableError(
                f'server "{self.server.name}" is busy with a call, and gets one at a time, for it asks questions',
                hint="perhaps the call waits for an answer of its person; inspect_run shows the questions of a run",
            )
        try:
            yield
        finally:
            self._turn.release()

    def redacted(self, text: str) -> str:
        """The text without the secrets of this server's settings."""
        return self._redact(text)

    async def next_change(self) -> None:
        """Return when its state changes next."""
        await self._changed.wait()

    def to_dict(self) -> dict[str, Any]:
        """The server as `mcp/servers` shows it."""
        line, process = self._line, self._transport
        return {
            "name": self.server.name,
            "state": self.state,
            "transport": self.server.connection_type,
            "protocol_version": line.agreement.version if line else None,
            "tools": len(self.tools),
            "hidden": list(self._memory.hidden),
            "idle_patterns": [
                f"{key}: {pattern}" for key, pattern in self.server.idle_patterns((*self.tools, *self._memory.hidden))
            ],
            "restarts": self.restarts,
            "last_error": self.error.message if self.error else None,
            "hint": self.error.hint if self.error else None,
            "address": self._redact(self.server.address),
            "pid": process.pid if process and line else None,
            "calls": self.calls,
            "uptime": round(anyio.current_time() - line.since, 1) if line else None,
            "junk": process.junk if process else 0,
            "stderr": [self._redact(words) for words in process.last_words] if process else [],
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
            self._line = None
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
            await anyio.sleep(jittered(delay))
            self._restarted_at = [*self._restarted_at, anyio.current_time()][-self._policy.limit :]
        self.restarts += 1

    async def _live(self) -> bool:
        """One connection, from its start to its end; whether it was ever ready."""
        if self.state != "restarting":
            self._enter("starting")
        failure = await self._held(greet=self._memory.handshake_only)
        if isinstance(failure, ProbeLostError) and not self._was_modern:
            # Some servers of the older era end when they are asked for anything but `initialize` first.
            failure = await self._held(greet=True)
        was_ready, self._line = self._line is not None, None
        if failure is None or was_ready:
            self.error = loss(self.server.name, self._diagnosis())
        else:
            self.error = start_failure(self.server.name, failure, self._diagnosis())
        return was_ready

    async def _held(self, *, greet: bool) -> BaseException | None:
        """One connection, begun without asking for the server's era where it is greeted; what ended it."""
        self._greets, self._transport = greet, None
        try:
            await self._hold(self._filled())
        except Exception as error:  # noqa: BLE001  # whatever one server does, the others and the hub go on
            return cause_of(error)
        return None

    def _filled(self) -> Server:
        filled = fill_server(self.server, os.environ)
        self._redact = redactor(filled, self.server)
        path = self._place.through(self.server.name)
        return filled.model_copy(update={"env": {**filled.env, VARIABLE: path}})

    async def _hold(self, filled: Server) -> None:
        limit = filled.timeout or START_LIMIT
        timer = anyio.CancelScope()
        async with unwrapped(anyio.create_task_group()) as tasks:
            tasks.start_soon(self._expire, limit, timer)
            with anyio.CancelScope(deadline=anyio.current_time() + limit) as scope:
                try:
                    await self._connected(filled, scope, timer)
                finally:
                    timer.cancel()
        if scope.cancelled_caught:
            raise self._late(limit)

    async def _connected(self, filled: Server, start: anyio.CancelScope, timer: anyio.CancelScope) -> None:
        transport = self._transport = await transport_to(filled, self._guard, self.server)
        handlers: dict[str, Handler] = {"ping": _pong}
        if self.roots is not None:
            handlers["roots/list"] = self.roots
        session = Session(handlers, self._notified)
        async with transport.connect(session) as wire, unwrapped(anyio.create_task_group()) as tasks:
            session.open(wire, tasks)
            try:
                line = await self._agreed(filled, session, transport)
                # The limit is that of the start alone: from here on it lives as long as it can.
                start.deadline = math.inf
                timer.cancel()
                await self._stay(line, tasks)
            finally:
                session.ended()  # whatever ended it, nobody waits for an answer any more
                tasks.cancel_scope.cancel()

    async def _agreed(self, filled: Server, session: Session, transport: Transport) -> Line:
        try:
            agreement = await agree(session, "legacy" if self._greets else filled.mode, self._capabilities)
        except RemoteError:
            # One that was killed while it was asked looks like one that cannot bear to be asked.
            self._memory.note_handshake_only(False)
            raise
        self._was_modern = agreement.modern
        self._memory.note_handshake_only(self._greets)
        self._address(session, agreement, transport)
        await self._list(session, agreement)
        return Line(session, agreement, transport, Pulse(session, agreement), anyio.current_time())

    async def _stay(self, line: Line, tasks: TaskGroup) -> None:
        self._line = line
        tasks.start_soon(line.pulse.watch)
        tasks.start_soon(self._follow_changes, line)
        if line.agreement.modern:
            tasks.start_soon(listen, line.session, line.agreement, self._note_change)
        self._enter("degraded" if self.error else "ready")
        await line.session.over()
        self.error = loss(self.server.name, self._diagnosis())  # told at once; putting it away takes a moment
        self._enter("restarting")

    def _address(self, session: Session, agreement: Agreement, transport: Transport) -> None:
        """From now on let each request be one of the version that was settled."""
        if agreement.modern:
            session.stamp = lambda _method, params: stamped(params, self._capabilities, agreement.version)
        if transport.sends_headers:
            from gleitzeit_mcp.session.headers import headers_of  # only HTTP needs the SDK

            session.headers = headers_of(agreement, self._schema_of)

    def _schema_of(self, tool: str) -> Mapping[str, Any] | None:
        known = self.tools.get(tool)
        return None if known is None else known.input_schema

    async def _list(self, session: Session, agreement: Agreement) -> None:
        self.error = await take_in_tools(self.server, session, agreement, self._memory, self.roots)

    async def _follow_changes(self, line: Line) -> None:
        """List the tools again whenever they have changed, however often that is said meanwhile."""
        while True:
            await self._outdated.wait()
            self._outdated = anyio.Event()
            await self._list(line.session, line.agreement)
            self._enter("degraded" if self.error else "ready")
            await anyio.sleep(LIST_PAUSE)

    def _notified(self, method: str, _params: Mapping[str, Any]) -> None:
        if method == "notifications/tools/list_changed":
            self._note_change()

    def _note_change(self) -> None:
        self._outdated.set()

    async def _expire(self, limit: float, timer: anyio.CancelScope) -> None:
        """Tell that the start has failed when its time is over, and not only when its remains are put away."""
        with timer:
            await anyio.sleep(limit)
            self.error = start_failure(self.server.name, self._late(limit), "")
            self._failed_at = anyio.current_time()
            self._enter("failed")

    def _late(self, limit: float) -> errors.TimeoutError:
        left = self._diagnosis()
        return errors.TimeoutError(
            f'server "{self.server.name}" did not answer within {limit:g} s of its start{f" ({left})" if left else ""}',
            hint="see what it does when started by hand, or give it a longer `timeout`",
        )

    def _diagnosis(self) -> str:
        return self._redact(self._transport.diagnosis()) if self._transport else ""

    def _enter(self, state: State) -> None:
        self.state = state
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        self._tell()

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
        if self.state == "stopped" or (retry and self.state == "failed" and self._has_rested()):
            self.state = "starting"
            self._wanted.set()

    def _has_rested(self) -> bool:
        return anyio.current_time() - self._failed_at >= RETRY_AFTER

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


async def _pong(_request: dict[str, Any]) -> dict[str, Any]:
    return {}
