"""One registered provider: initialised once when it is first needed, shut down once, and how it fares meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup, TaskStatus

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit.core.findings import health_finding
from gleitzeit.core.keys import is_call
from gleitzeit.providers.base import ProtocolProvider, TaskContext, current_task, enter_task
from gleitzeit.registry.described import described
from gleitzeit.registry.gate import Bounds, Gate

MemberState = Literal["registered", "starting", "ready", "failed"]

FAILURES_UNTIL_SICK = 3
SICK_SECONDS = 30.0
SHUTDOWN_SECONDS = 10.0

_logger = logging.getLogger(__name__)


class _Session:
    """One life of a provider, from `initialize` to `shutdown`."""

    def __init__(self, group: TaskGroup) -> None:
        self.group = group
        self.started = anyio.Event()
        self.closing = anyio.Event()
        self.idle = anyio.Event()
        self.gone = anyio.Event()
        self.failure: BaseException | None = None
        self.succeeded = False


class _Started:
    """Passes the first `started()` on, for a second one would be an error."""

    def __init__(self, task_status: TaskStatus[None]) -> None:
        self._task_status: TaskStatus[None] | None = task_status

    def started(self) -> None:
        task_status, self._task_status = self._task_status, None
        if task_status is not None:
            task_status.started()


class Member:
    """A provider with its calls in flight; `ready` is true between `initialize` and `shutdown`."""

    def __init__(self, provider: ProtocolProvider, protocol_id: str, predecessor: Member | None = None) -> None:
        self.provider = provider
        self.protocol_id = protocol_id
        self.in_flight = 0
        self.waiting = 0
        self.ready = False
        self.failure: BaseException | None = None
        self._gate: Gate | None = None
        self._predecessor = predecessor
        self._session: _Session | None = None
        self._failures = 0
        self._sick_until = 0.0
        self.serves = type(provider).serve is not ProtocolProvider.serve
        self.decides = type(provider).cache_key is not ProtocolProvider.cache_key

    @property
    def state(self) -> MemberState:
        """Where it stands: `failed` until a later call has initialised it after all."""
        if self.ready:
            return "ready"
        if self._session is not None:
            return "starting"
        return "registered" if self.failure is None else "failed"

    @property
    def load(self) -> int:
        """The calls in flight and those that wait: for it to be initialised, or for their turn."""
        return self.in_flight + self.waiting + (0 if self._gate is None else self._gate.waiting)

    def bound(self, bounds: Bounds | None) -> None:
        """From now on, let no more requests through at once than `bounds` say."""
        self._gate = None if bounds is None else Gate(bounds)

    def sick(self, now: float) -> bool:
        """Whether another provider of the same protocol should be preferred."""
        return self._sick_until > now

    async def call(self, method: str, parameters: dict[str, Any]) -> Any:
        """Check the parameters, carry out one request, and return and raise what the provider does.

        Raises `ProviderUnavailableError` where too many wait for their turn already.
        """
        gate = self._gate
        if gate is not None:
            gate = await self._passed(gate)
        self.in_flight += 1
        try:
            await self.provider.validate_request(method, parameters)
            result = await self.provider.handle_request(method, parameters)
        except (ProviderUnavailableError, ConnectionRefusedError):
            self._note_failure()
            raise
        finally:
            self.in_flight -= 1
            if gate is not None:
                gate.leave()
            if self.in_flight == 0 and self._session is not None and self._session.closing.is_set():
                self._session.idle.set()
        self._failures = 0
        return result

    async def _passed(self, gate: Gate) -> Gate | None:
        """The gate to leave again; none for what another task's own code calls, which may hold the place it needs."""
        if is_call(current_task().task_id):
            return None
        await gate.enter(self.provider.provider_id)
        if not self.ready:  # it was closed meanwhile
            gate.leave()
            raise self._unavailable(None)
        return gate

    async def check_health(self, seconds: float = 5.0) -> bool:
        """Ask the provider how it is, and remember the answer; a provider that was never needed is not asked."""
        if not self.ready:
            return self.failure is None
        try:
            with anyio.fail_after(seconds):
                answer = await self.provider.health_check()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything, which says that it is not well
            self.failure, healthy = error, False
        else:
            healthy = answer.get("status", "healthy") == "healthy" if isinstance(answer, dict) else bool(answer)
            found = health_finding(self.provider.provider_id, answer if isinstance(answer, dict) else healthy)
            self.failure = None if healthy else ProviderUnavailableError(found.message, hint=found.fix)
        self._sick_until = 0.0 if healthy else time.monotonic() + SICK_SECONDS
        return healthy

    async def start(self, group_of: Callable[[], TaskGroup]) -> None:
        """Return once the provider was initialised, in the group that is the right one by then; all share one attempt.

        Raises `ProviderUnavailableError` where it failed; the next call tries again.
        """
        self.waiting += 1
        try:
            session = await self._opened(group_of)
            if not session.started.is_set():  # to wait for what is there already would give up a turn of the loop
                await session.started.wait()
        finally:
            self.waiting -= 1
        if not session.succeeded:
            raise self._unavailable(session.failure) from session.failure

    async def _opened(self, group_of: Callable[[], TaskGroup]) -> _Session:
        while self._session is not None and self._session.closing.is_set():
            await self._session.gone.wait()
        if self._session is None:
            group = group_of()
            self._session = _Session(group)
            group.start_soon(self._keep, self._session, name=f"provider {self.provider.provider_id}")
        return self._session

    def close(self) -> None:
        """Have the provider shut down, once the calls in flight are over."""
        self.ready = False
        session = self._session
        if session is not None:
            session.closing.set()
            if self.in_flight == 0:
                session.idle.set()

    @property
    def alive(self) -> bool:
        """Whether something of it is left to shut down."""
        return self._session is not None

    def leave(self, group: TaskGroup) -> None:
        """Have the provider shut down if it lives in `group`; a later call starts it again elsewhere."""
        if self._session is not None and self._session.group is group:
            self.close()

    async def gone(self) -> None:
        """Return once the provider is shut down; at once where it never was initialised."""
        if self._session is not None:
            await self._session.gone.wait()

    async def _keep(self, session: _Session) -> None:
        # One task initialises and shuts down, for the cancel scopes of anyio must be left where they were entered;
        # and it is nobody's task, so that a caller who gives up does not take the provider along.
        leave = enter_task(TaskContext())
        try:
            if self._predecessor is not None:
                await self._predecessor.gone()
                self._predecessor = None
            await self._live(session)
        finally:
            self.ready, self._session = False, None
            session.started.set()
            session.gone.set()
            leave()

    async def _live(self, session: _Session) -> None:
        try:
            await self.provider.initialize()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything; whoever waits for it is told
            self._fail(session, error)
            return
        try:
            async with anyio.create_task_group() as group:
                if await self._serving(session, group):
                    await self._until_closed(session)
                group.cancel_scope.cancel()
        finally:
            self.ready = False
            await self._shut_down()

    async def _serving(self, session: _Session, group: TaskGroup) -> bool:
        if self.serves:
            await group.start(self._serve, session)
        if session.failure is not None:
            return False
        self.failure, self._failures, self._sick_until = None, 0, 0.0
        session.succeeded = True
        self.ready = not session.closing.is_set()
        session.started.set()
        return True

    async def _serve(self, session: _Session, *, task_status: TaskStatus[None]) -> None:
        readiness = _Started(task_status)
        try:
            await self.provider.serve(task_status=readiness)
        except Exception as error:  # noqa: BLE001 - a provider may raise anything, and must not take the rest along
            self._fail(session, error)
            self.close()
        finally:
            readiness.started()

    async def _until_closed(self, session: _Session) -> None:
        await session.closing.wait()
        with anyio.move_on_after(SHUTDOWN_SECONDS):
            await session.idle.wait()

    def _fail(self, session: _Session, error: Exception) -> None:
        provider_id = self.provider.provider_id
        _logger.warning("provider %s failed: %s", provider_id, described(error))
        session.failure = self.failure = error
        self._sick_until = time.monotonic() + SICK_SECONDS

    async def _shut_down(self) -> None:
        provider_id = self.provider.provider_id
        with anyio.move_on_after(SHUTDOWN_SECONDS, shield=True) as scope:
            try:
                await self.provider.shutdown()
            except Exception:
                _logger.exception("provider %s failed to shut down", provider_id)
        if scope.cancelled_caught:
            _logger.warning("provider %s did not shut down within %g s", provider_id, SHUTDOWN_SECONDS)

    def _note_failure(self) -> None:
        self._failures += 1
        if self._failures >= FAILURES_UNTIL_SICK:
            self._sick_until = time.monotonic() + SICK_SECONDS

    def _unavailable(self, cause: BaseException | None) -> ProviderUnavailableError:
        provider_id = self.provider.provider_id
        if cause is None:
            return ProviderUnavailableError(f'provider "{provider_id}" is shutting down')
        hint = cause.hint if isinstance(cause, GleitzeitError) else None
        return ProviderUnavailableError(f'provider "{provider_id}" failed to initialise: {described(cause)}', hint=hint)
