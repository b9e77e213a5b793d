"""The application behind the tools: opened when it is first needed, for its imports cost more than a first answer."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from gleitzeit.core.errors import ConfigurationError, GleitzeitError
from gleitzeit.core.groups import unwrapped

if TYPE_CHECKING:  # at run time the factory brings it, after the first answer is out
    from gleitzeit.application import Application

logger = logging.getLogger(__name__)

ApplicationFactory = Callable[[], "AbstractAsyncContextManager[Application]"]

_CLOSING = 1.2


class _Attempt:
    """One time of opening: whether anybody wants it, and how it ended."""

    def __init__(self) -> None:
        self.wanted = anyio.Event()
        self.settled = anyio.Event()
        self.failure: GleitzeitError | None = None


class LazyApplication:
    """An application that is there, is being opened, or could not be opened.

    Where a cause may go away, such as a locked database, the next one who wants it has it opened once more.
    """

    def __init__(self, factory: ApplicationFactory) -> None:
        self._factory = factory
        self._attempt = _Attempt()
        self._leaving = anyio.Event()
        self._application: Application | None = None

    def begin(self) -> None:
        """Start opening, if nobody has yet; returns at once."""
        self._attempt.wanted.set()

    async def opened(self) -> Application:
        """The application once it is open. Raises what kept it from opening."""
        attempt = self._attempt
        # Whoever waits gives up its turn, even where there is nothing to wait for.
        if self._application is None and not attempt.settled.is_set():
            attempt.wanted.set()
            await attempt.settled.wait()
        if attempt.failure is not None:
            raise attempt.failure
        assert self._application is not None
        return self._application

    async def once_open(self) -> Application:
        """The application once somebody has had it opened; waits for ever where nobody does, or nobody can."""
        while self._application is None:
            attempt = self._attempt
            await attempt.settled.wait()
            if self.idle and self._attempt is attempt:
                await anyio.sleep_forever()
        return self._application

    async def hold(self) -> None:
        """Open the application when it is wanted, keep it open until `leave`, and close it."""
        while True:
            attempt = self._attempt
            await attempt.wanted.wait()
            try:
                attempt.failure = await self._kept_open(attempt)
                if attempt.failure is None or not attempt.failure.retryable or self._application is not None:
                    return
                self._attempt = _Attempt()
            finally:
                attempt.settled.set()

    async def _kept_open(self, attempt: _Attempt) -> GleitzeitError | None:
        """Open the application and keep it; what kept it from opening, or broke it down."""
        try:
            # It imports the engine and reads files: in a thread, so that the server goes on answering meanwhile.
            context = await anyio.to_thread.run_sync(self._factory)
            async with context as self._application:
                attempt.settled.set()
                await self._leaving.wait()
        except GleitzeitError as error:
            logger.error("%s%s", error, f" ({error.hint})" if error.hint else "")
            return error
        except Exception as error:
            logger.exception("the engine could not be opened, or broke down")
            return ConfigurationError(
                f"Gleitzeit could not start: {type(error).__name__}",
                hint="its standard error has the details",
                code="internal",
            )
        return None

    def leave(self) -> None:
        """Let the application close."""
        self._leaving.set()

    @property
    def idle(self) -> bool:
        """Whether there is nothing to close: not open, or not yet."""
        return self._application is None or self._attempt.failure is not None


@asynccontextmanager
async def lazy_application(factory: ApplicationFactory) -> AsyncGenerator[LazyApplication]:
    """Provide the application that `factory` opens; at the end it has a moment to close, then it is cut off."""
    lazy = LazyApplication(factory)
    async with unwrapped(anyio.create_task_group()) as tasks:
        tasks.start_soon(lazy.hold)
        try:
            yield lazy
        finally:
            lazy.leave()
            tasks.cancel_scope.deadline = anyio.current_time() + (0.0 if lazy.idle else _CLOSING)
