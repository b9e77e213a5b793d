"""`Conductor`: writes what all runs have to write, one transaction after the other, and only then lets them go on."""

from __future__ import annotations

import asyncio  # its events and locks: what anyio has around them costs as much as a commit's own work
import logging

import anyio

from gleitzeit.core.errors import GleitzeitError, StoreError
from gleitzeit.engine.local.ahead import Ahead
from gleitzeit.engine.local.draft import Author, Draft, Drafts
from gleitzeit.engine.local.lull import Lull
from gleitzeit.store.base import Change, Committed, Store

logger = logging.getLogger("gleitzeit.engine")

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0


class Conductor:
    """Gathers what is due while the transaction before is under way, or the loop is busy, so that many runs share one.

    This is group commit; a transaction costs much, and what is added to it little.

    It writes in a task of its own, which no provider ever sees: one that cancels the task it runs in must not cut a
    commit off. While the store can't write, what has happened is kept and written as soon as it can again; runs that
    are only about to begin are refused meanwhile.

    What only reads may begin before that is written, and what it found need not be written by itself: it waits a
    little for more. Nobody hears of it until it is durable, and what does more than read begins only then (the rule of
    output commit: Strom and Yemini, Optimistic Recovery in Distributed Systems, 1985).
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due: dict[Author, None] = {}
        self._called = asyncio.Event()
        self._lull = Lull(self._called.set)
        self._writing = asyncio.Lock()
        self._trouble: StoreError | None = None
        self._ahead = Ahead(self.due)

    def due(self, author: Author) -> None:
        """Ask `author` for its draft at the next occasion."""
        self._due[author] = None
        self._lull.expect()

    def begin(self, author: Author) -> None:
        """Let what need not be written first begin at once, before `author` would be asked for its draft."""
        if not self._goes_ahead(author):
            self.due(author)

    def check_writing(self) -> None:
        """Raise `StoreError` while the store can't write what has happened."""
        if self._trouble is not None:
            raise StoreError(self._trouble.message, hint=self._trouble.hint)

    async def conduct(self) -> None:
        """Write whatever is due, until cancelled."""
        with anyio.CancelScope() as scope:  # one for all commits: a scope costs a tenth of what one of them does
            while True:
                await self._called.wait()
                self._called.clear()
                async with self._writing:
                    await self._write(scope)

    async def finish(self) -> None:
        """Write until nothing is due any more, and nothing waits."""
        with anyio.CancelScope() as scope:
            async with self._writing:
                while self._due or self._ahead:
                    self._ahead.end_all()
                    await self._write(scope)

    async def _write(self, scope: anyio.CancelScope) -> None:
        authors, self._due = self._due, {}
        drafts: list[tuple[Author, Draft, Change]] = []
        for author in authors:
            if self._goes_ahead(author):
                continue
            drafted = author.draft()
            if drafted is not None:
                drafts.append((author, *drafted))
        if drafts:
            await self._commit(drafts, scope)

    def _goes_ahead(self, author: Author) -> bool:
        """Whether what an author has to write can wait, and what follows from it has begun."""
        if self._trouble is None and not self._ahead.is_over(author) and author.go_ahead():
            self._ahead.let(author)
            return True
        self._ahead.end(author)
        return False

    async def _commit(self, drafts: Drafts, scope: anyio.CancelScope) -> None:
        pause = _FIRST_PAUSE
        while drafts:
            try:
                outcomes = await self._shielded(scope, [change for _, _, change in drafts])
            except StoreError as error:
                self._trouble = error
                drafts = _without_new(drafts, error)
                self._refuse_new(error)
                if pause == _FIRST_PAUSE:
                    logger.error("%s: what has happened is written as soon as it can be", error)
                await anyio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            self._trouble = None
            for (author, draft, change), outcome in zip(drafts, outcomes, strict=True):
                author.written(draft, change, outcome)
            return

    def _refuse_new(self, error: StoreError) -> None:
        """Refuse the runs that have come in meanwhile."""
        for author in [author for author in self._due if author.refusable]:
            del self._due[author]
            self._ahead.end(author)
            drafted = author.draft()
            if drafted is not None:
                author.written(*drafted, error)

    async def _shielded(self, scope: anyio.CancelScope, changes: list[Change]) -> list[Committed]:
        """Write without being cut off: nobody would know whether it was written."""
        scope.shield = True
        try:
            return await self._attempt(changes)
        finally:
            scope.shield = False

    async def _attempt(self, changes: list[Change]) -> list[Committed]:
        try:
            return list(await self._store.commit(changes))
        except StoreError:
            raise
        except Exception as error:
            if len(changes) == 1:
                logger.exception("a change of run %s could not be written", changes[0].run_id)
                return [GleitzeitError(f"the engine failed: {type(error).__name__}: {error}", code="internal")]
        return [outcome for change in changes for outcome in await self._attempt([change])]


def _without_new(drafts: Drafts, error: StoreError) -> Drafts:
    """The drafts of runs that have begun; those of others are refused, for nobody has been told of them yet."""
    left: list[tuple[Author, Draft, Change]] = []
    for author, draft, change in drafts:
        if author.refusable:
            author.written(draft, change, error)
        else:
            left.append((author, draft, change))
    return left
