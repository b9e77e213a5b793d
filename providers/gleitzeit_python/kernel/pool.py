"""`Pool`: workers that stand by, and the zygote that makes them, replaced before it gets old."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit_python.kernel.plan import Plan
from gleitzeit_python.kernel.worker import WorkerProcess
from gleitzeit_python.kernel.zygote import Zygote, ZygoteError

_ATTEMPTS = 2
"""How often in a row a zygote may fail before whoever waits for a worker is told."""


@dataclass(eq=False, slots=True)
class Taken:
    """A worker that is somebody's, and the zygote that it lives by."""

    worker: WorkerProcess
    zygote: Zygote


@dataclass(eq=False, slots=True)
class _Waiter:
    ready: anyio.Event = field(default_factory=anyio.Event)
    taken: Taken | None = None
    error: GleitzeitError | None = None


class Pool:
    """Keeps `size` workers ready. `plan` says what the zygote is to be, `state` what it depends on beside that.

    A zygote is replaced after `recycle` workers, where the `state` has changed, and where it has died.
    """

    def __init__(
        self,
        plan: Callable[[], Plan],
        size: int,
        recycle: int,
        *,
        folder: Callable[[], str | None] = lambda: None,
        state: Callable[[], Hashable] = lambda: None,
    ) -> None:
        self._plan = plan
        self._size = size
        self._recycle = recycle
        self._folder = folder
        self._state = state
        self._seen: Hashable = None
        self._zygote: Zygote | None = None
        self._standby: deque[Taken] = deque()
        self._waiting: deque[_Waiter] = deque()
        self._leaving: set[Taken] = set()
        self._retired: set[Zygote] = set()
        self._wake = anyio.Event()
        self._group: TaskGroup | None = None
        self._closed = False

    @property
    def zygote(self) -> Zygote | None:
        """The present one."""
        return self._zygote

    @property
    def standby(self) -> int:
        """How many workers are ready."""
        return len(self._standby)

    async def serve(self) -> None:
        """Keep workers ready until cancelled; then all of them end."""
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                while True:
                    self._wake = anyio.Event()
                    await self._fill()
                    await self._wake.wait()
        finally:
            self._group, self._closed = None, True
            self._fail(ProviderUnavailableError("the sandbox is closed"))
            with anyio.CancelScope(shield=True):
                await self._end_all()

    async def take(self) -> Taken:
        """A worker for one job; `give_back` takes it when that is over.

        Raises `ProviderUnavailableError` where none can be had.
        """
        if self._closed:
            raise ProviderUnavailableError("the sandbox is closed")
        if self._is_outdated() or (self._zygote is not None and self._zygote.gone):
            self._retire()
        while self._standby:
            taken = self._standby.popleft()
            if taken.worker.alive:
                return self._handed(taken)
            taken.worker.close()
        return await self._awaited()

    async def _awaited(self) -> Taken:
        waiter = _Waiter()
        self._waiting.append(waiter)
        self._wake.set()
        try:
            await waiter.ready.wait()
        except BaseException:
            if waiter.taken is not None:
                self.give_back(waiter.taken)
            elif not waiter.ready.is_set():
                self._waiting.remove(waiter)
            raise
        if waiter.taken is None:
            raise waiter.error or ProviderUnavailableError("the sandbox has no worker")
        return waiter.taken

    def _handed(self, taken: Taken) -> Taken:
        """The next worker is made when the job of this one is over, not while the two would be in each other's way."""
        taken.zygote.jobs += 1
        if len(self._standby) <= self._size // 2:
            self._wake.set()
        return taken

    def give_back(self, taken: Taken) -> None:
        """Take a worker whose job is over: it ends, for no worker has two jobs."""
        taken.worker.kill()
        self._wake.set()
        if self._group is None:
            taken.worker.close()
        else:
            self._leaving.add(taken)
            self._group.start_soon(self._bury, taken)

    async def _bury(self, taken: Taken) -> None:
        await taken.worker.bury()
        self._leaving.discard(taken)
        taken.zygote.jobs -= 1
        if taken.zygote in self._retired and not taken.zygote.jobs:
            await self._end(taken.zygote)

    async def _end(self, zygote: Zygote) -> None:
        await zygote.ended()
        self._retired.discard(zygote)

    async def _fill(self) -> None:
        failures = 0
        while self._waiting or len(self._standby) < self._size:
            try:
                taken = await self._made()
            except GleitzeitError as error:
                failures += 1
                if self._zygote is not None and self._zygote.gone:
                    self._retire()
                if failures > _ATTEMPTS or isinstance(error.__cause__, ZygoteError):
                    self._fail(error)
                    return
                continue
            failures = 0
            if taken.zygote is not self._zygote:  # it was retired meanwhile, and is about to end
                taken.worker.close()
            else:
                self._hand_out(taken)

    async def _made(self) -> Taken:
        zygote = await self._present_zygote()
        return Taken(await zygote.spawn(self._folder()), zygote)

    def _hand_out(self, taken: Taken) -> None:
        if not self._waiting:
            self._standby.append(taken)
            return
        waiter = self._waiting.popleft()
        waiter.taken = self._handed(taken)
        waiter.ready.set()

    def _fail(self, error: GleitzeitError) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            waiter.error = error
            waiter.ready.set()

    async def _present_zygote(self) -> Zygote:
        zygote = self._zygote
        if zygote is not None and not zygote.gone and zygote.spawned < self._recycle:
            return zygote
        state = self._state()
        try:
            following = await Zygote.start(self._plan())
        except (ZygoteError, OSError) as error:
            raise ProviderUnavailableError(f"the sandbox can't start: {error}") from error
        self._retire()
        self._zygote, self._seen = following, state
        return following

    def _is_outdated(self) -> bool:
        return self._zygote is not None and self._seen != self._state()

    def _retire(self) -> None:
        """Let the present zygote make no more workers; those that stand by end, those that have a job go on."""
        zygote, self._zygote = self._zygote, None
        while self._standby:
            self._standby.popleft().worker.close()
        if zygote is None:
            return
        self._retired.add(zygote)
        if self._group is not None and (zygote.gone or not zygote.jobs):
            self._group.start_soon(self._end, zygote)

    async def _end_all(self) -> None:
        self._retire()
        while self._leaving:
            self._leaving.pop().worker.close()
        for zygote in list(self._retired):
            await self._end(zygote)
