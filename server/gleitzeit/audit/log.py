"""`AuditLog`: entries go to a file by a thread of their own, so that no disk holds up the event loop."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from queue import Empty, SimpleQueue
from typing import NamedTuple

import anyio
import anyio.to_thread

from gleitzeit.audit.base import Audit, Entry
from gleitzeit.audit.file import AuditFile
from gleitzeit.audit.line import line_of
from gleitzeit.core.errors import GleitzeitError, UnrecordedError

logger = logging.getLogger("gleitzeit.audit")

_HINT = "whoever runs this server finds the reason in its log; nothing is carried out until the audit can be written"


class _Item(NamedTuple):
    """An entry to be written, and whoever waits for that; without an entry, nothing but the waiting."""

    entry: Entry | None
    written: asyncio.Future[str | None] | None
    last: bool = False


class AuditLog(Audit):
    """Writes to an open file whatever comes, in order, and does not give up after a failure.

    An entry that can't be written keeps what it stands for from being carried out, for an audit with gaps proves
    nothing. What has been carried out already goes to the log of the server then.
    """

    def __init__(self, file: AuditFile) -> None:
        self._file = file
        # Futures, not anyio's way into the loop: one call wakes all who wait for a batch, at a third of the cost.
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Item] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="gleitzeit-audit", daemon=True)
        self._closed = False

    async def record(self, entry: Entry) -> None:
        """Return once the entry is written. Raises `UnrecordedError` (retryable) where it can't be."""
        failure = "it is closed" if self._closed else await self._put(entry)
        if failure is not None:
            raise UnrecordedError(f"the audit log can't be written: {failure}", hint=_HINT)

    def note(self, entry: Entry) -> None:
        """Have the entry written soon."""
        if self._closed:
            logger.error("the audit log is closed; what it lacks: %s", line_of(entry).decode().rstrip())
            return
        self._queue.put(_Item(entry, None))

    async def settled(self) -> None:
        """Return once what came before is written, or has failed to be."""
        if not self._closed:
            await self._put(None)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    async def finish(self) -> None:
        """Write what is left, and end."""
        self._closed = True
        await self._put(None, last=True)

    def _put(self, entry: Entry | None, *, last: bool = False) -> asyncio.Future[str | None]:
        written: asyncio.Future[str | None] = self._loop.create_future()
        self._queue.put(_Item(entry, written, last))
        return written

    def _run(self) -> None:
        while True:
            batch = self._gather()
            told = [(item.written, self._write(item.entry)) for item in batch]
            self._call(partial(_resolve, told))
            if batch[-1].last:
                return

    def _gather(self) -> list[_Item]:
        batch = [self._queue.get()]
        with suppress(Empty):
            while not batch[-1].last:
                batch.append(self._queue.get_nowait())
        return batch

    def _write(self, entry: Entry | None) -> str | None:
        """Why an entry could not be written."""
        if entry is None:
            return None
        line = line_of(entry)
        try:
            self._file.append(line)
        except (OSError, GleitzeitError) as error:
            logger.error("the audit log can't be written: %s; what it lacks: %s", error, line.decode().rstrip())
            return (error.strerror or "an error") if isinstance(error, OSError) else "it is not safe any more"
        return None

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and all who waited with it
            self._loop.call_soon_threadsafe(function)


def _resolve(told: Sequence[tuple[asyncio.Future[str | None] | None, str | None]]) -> None:
    for future, failure in told:
        if future is not None and not future.done():  # whoever waited may have been cancelled; it is written
            future.set_result(failure)


@asynccontextmanager
async def open_log(file: AuditFile) -> AsyncGenerator[AuditLog]:
    """The log of a file, whose lines are all written at the end. Raises `ConfigurationError` for an unsafe file."""
    await anyio.to_thread.run_sync(file.open)
    log = AuditLog(file)
    log.start()
    try:
        yield log
    finally:
        with anyio.CancelScope(shield=True):
            await log.finish()
        file.close()
