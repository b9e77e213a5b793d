"""The one thread that writes: whatever waits is written in one transaction, and told together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from gleitzeit.store.base import Change, Committed
from gleitzeit.store.sqlite.batch import Statement, Told, Write, write_all
from gleitzeit.store.sqlite.connection import WritingConnection

_LOG = logging.getLogger(__name__)

LOOK = 0.25
"""Seconds between two looks at what other processes wrote, and at the file itself."""


class Writer:
    """Writes for one event loop, in a thread of its own, so that neither ever waits for the other."""

    def __init__(self, writing: WritingConnection, changed: Callable[[], None]) -> None:
        self._writing = writing
        self._changed = changed
        # Futures, not anyio's way into the loop: one call wakes all waiters of a batch.
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[Write] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="gleitzeit-store", daemon=True)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._ended = False
        self._telling = False
        self._next_look = 0.0

    async def start(self) -> None:
        """Open the database. Raises what prevents that."""
        self._thread.start()
        try:
            await self._opened
        except asyncio.CancelledError:  # nobody will close what nobody has
            self._put(Write(self._loop.create_future(), last=True))
            raise

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        """Write changes; what became of each."""
        outcomes: Sequence[Committed] = await self._put(Write(self._loop.create_future(), changes))
        return outcomes

    async def do(self, statement: Statement) -> Any:
        """What `statement` gives in a transaction; a `GleitzeitError` may leave it before it has written anything."""
        return await self._put(Write(self._loop.create_future(), statement=statement))

    async def stop(self) -> None:
        """Write what is left, and end."""
        await self._put(Write(self._loop.create_future(), last=True))

    def _put(self, write: Write) -> asyncio.Future[Any]:
        if self._ended:
            raise RuntimeError("the store is closed")
        self._ended = write.last
        self._queue.put(write)
        return write.future

    def _run(self) -> None:
        try:
            self._writing.open()
        except BaseException as error:  # noqa: BLE001 whatever it is, somebody waits for it
            self._tell([(self._opened, None, error)])
            return
        self._tell([(self._opened, None, None)])
        last = None
        while last is None:
            batch = self._gather()
            if batch and batch[-1].last:
                last = batch.pop()
            self._tell(write_all(self._writing, batch))
            if last is None:
                self._look()
        self._writing.close()
        self._tell([(last.future, None, None)])

    def _gather(self) -> list[Write]:
        """All that waits, or nothing after a while."""
        batch: list[Write] = []
        with suppress(Empty):
            batch.append(self._queue.get(timeout=LOOK))
            while True:
                batch.append(self._queue.get_nowait())
        return batch

    def _look(self) -> None:
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + LOOK
        try:
            written = self._writing.look()
        except Exception:  # noqa: BLE001 the thread has to live: whoever waits later is told by an error of their own
            _LOG.exception("the store could not look after its database")
            return
        if written and not self._telling:
            self._telling = True
            self._call(self._tell_of_change)

    def _tell_of_change(self) -> None:
        self._telling = False
        self._changed()

    def _tell(self, told: Sequence[Told]) -> None:
        if told:
            self._call(lambda: _resolve(told))

    def _call(self, function: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is gone, and all who waited with it
            self._loop.call_soon_threadsafe(function)


def _resolve(told: Sequence[Told]) -> None:
    for future, value, error in told:
        if future.done():  # whoever waited was cancelled; it is written nevertheless
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
