"""`KernelSandbox`: the tiers `ns` and `ll`, in which the kernel itself keeps code apart."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.groups import unwrapped
from gleitzeit_python.broker.document import document_of
from gleitzeit_python.broker.frames import LARGEST, framed
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.broker.session import Session
from gleitzeit_python.kernel.compiled import CompiledCode
from gleitzeit_python.kernel.folders import WorkFolders
from gleitzeit_python.kernel.layout import Layout, layout_of
from gleitzeit_python.kernel.plan import Plan
from gleitzeit_python.kernel.pool import Pool, Taken
from gleitzeit_python.kernel.zygote import Zygote, ZygoteError
from gleitzeit_python.sandbox.base import Host, Job, Limits, Outcome, Packages, Sandbox, Silent, Tier

KernelTier = Literal["ns", "ll"]
WORK = "/job"
LIBRARIES = "/lib.d"

PRELOADED = (
    *("asyncio", "base64", "collections", "contextlib", "csv", "dataclasses", "datetime", "decimal", "enum"),
    *("fractions", "functools", "inspect", "io", "itertools", "json", "math", "operator", "pathlib", "random", "re"),
    *("statistics", "string", "textwrap", "time", "traceback", "typing", "_strptime", "zoneinfo"),
)
"""What most code imports: it is there already when a worker begins. What brings large libraries along costs all workers
more than it saves the few that import it (`hashlib`, `tempfile`, `uuid`: about 5 ms each)."""

_LAST_WORDS = 0.25


@dataclass(frozen=True, slots=True)
class KernelSettings:
    """How many workers stand by, after how many a zygote is replaced, and what it imports for all of them."""

    standby: int = 4
    recycle: int = 500
    preload: tuple[str, ...] = ()
    disk: int = 64 << 20
    inodes: int = 1000
    packages: Packages = "host"
    quota: Quota = field(default_factory=Quota)


class KernelSandbox(Sandbox):
    """Workers that are locked down before they get their job, each used once."""

    def __init__(self, tier: KernelTier, settings: KernelSettings | None = None) -> None:
        self.tier: Tier = tier
        self.kind: KernelTier = tier
        self._settings = settings or KernelSettings()
        self._folders = WorkFolders()
        self._compiled = CompiledCode()
        self._pools: dict[Packages, Pool] = {}
        self._group: TaskGroup | None = None
        self._layout = Layout()
        self._abi: int | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Keep workers ready; at the end all of them are gone, and so are their folders."""
        if self.kind == "ll":
            await anyio.to_thread.run_sync(self._folders.sweep)
        self._layout = await layout_of(sys.executable)
        try:
            async with unwrapped(anyio.create_task_group()) as group:
                self._group = group
                self._pool(self._settings.packages)
                try:
                    yield
                finally:
                    self._group = None
                    group.cancel_scope.cancel()
        finally:
            self._pools.clear()
            if self.kind == "ll":
                with anyio.CancelScope(shield=True):
                    await anyio.to_thread.run_sync(lambda: self._folders.sweep(own=True))

    async def run(self, job: Job, host: Host) -> Outcome:
        """Carry a job out in a worker of its own."""
        document = _document(job)
        compiled = self._compiled.of(job)
        text = framed(document)
        if compiled is not None and len(text) + len(compiled) < LARGEST // 2:
            text = framed({**document, "compiled": compiled})
        if not job.plain:
            return await self._run_alone(text, job, host)
        outcome = await self._run_pooled(text, job, host)
        if outcome.ended == "exited" and outcome.problem is None and self._compiled.saw(job) and self._group:
            self._group.start_soon(self._compile, job)
        return outcome

    async def _run_pooled(self, text: bytes, job: Job, host: Host) -> Outcome:
        pool = self._pool(job.packages)
        taken = await pool.take()
        try:
            return await self._run_in(taken, text, job, host)
        finally:
            pool.give_back(taken)

    async def _compile(self, job: Job) -> None:
        """Have a worker compile what is likely to come again; nobody waits for it, and nobody misses it."""
        alone = replace(job, args=None, env={}, artifacts=(), allowed_modules=None, limits=Limits(), interactive=False)
        with suppress(GleitzeitError):
            text = framed({**_document(alone), "mode": "compile"})
            outcome = await self._run_pooled(text, alone, Silent())
            if outcome.ended == "exited" and isinstance(outcome.value, str):
                self._compiled.keep(job, outcome.value)

    def facts(self) -> Mapping[str, Any]:
        """The tier, and what of Landlock this kernel has."""
        facts: dict[str, Any] = {"tier": self.tier, "network": "none", "subprocesses": False}
        return {**facts, "landlock_abi": self._abi} if self._abi is not None else facts

    async def _run_in(self, taken: Taken, text: bytes, job: Job, host: Host) -> Outcome:
        self._abi = taken.zygote.facts.get("landlock_abi", self._abi)
        outcome = await Session(taken.worker, text, job, host, self._settings.quota, self.facts()).run()
        if outcome.ended != "crashed":
            return outcome
        if outcome.problem is not None:
            raise ProviderError(f"the sandbox failed before the code began: {outcome.problem.message}")
        with anyio.move_on_after(_LAST_WORDS):
            await taken.worker.exited.wait()
        if taken.zygote.gone:
            raise ProviderError("the fork server of the sandbox ended, and the code with it")
        return replace(outcome, exit_code=_exit_code(taken.worker.exit))

    async def _run_alone(self, text: bytes, job: Job, host: Host) -> Outcome:
        """In a worker of a zygote that sees the job's own files, and is there for it alone."""
        try:
            zygote = await Zygote.start(self._own_plan(job))
        except (ZygoteError, OSError) as error:
            raise ProviderUnavailableError(f"the sandbox can't start: {error}") from error
        try:
            taken = Taken(await zygote.spawn(self._folder()), zygote)
            try:
                return await self._run_in(taken, text, job, host)
            finally:
                taken.worker.close()
        finally:
            with anyio.CancelScope(shield=True):
                await zygote.ended()

    def _pool(self, packages: Packages) -> Pool:
        if self._group is None:
            raise ProviderUnavailableError("the sandbox is closed")
        if packages not in self._pools:
            pool = self._pools[packages] = Pool(
                lambda: self._plan(packages, self._preload),
                self._settings.standby,
                self._settings.recycle,
                folder=self._folder,
                state=self._installed,
            )
            self._group.start_soon(pool.serve)
        return self._pools[packages]

    def _folder(self) -> str | None:
        return self._folders.name() if self.kind == "ll" else None

    def _installed(self) -> tuple[int, ...]:
        return self._layout.changes()

    @property
    def _preload(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*PRELOADED, *self._settings.preload)))

    def _plan(self, packages: Packages, preload: tuple[str, ...] = (), binds: tuple[str, ...] = ()) -> Plan:
        layout = self._layout if packages == "host" else self._layout.bare()
        return Plan(
            self.kind,
            (*layout.read_only, *binds),
            preload,
            layout.site_packages,
            disk=self._settings.disk,
            inodes=self._settings.inodes,
        )

    def _own_plan(self, job: Job) -> Plan:
        files = [f"{path}={WORK}/{name}" for name, path in job.files.items()]
        folders = [f"{path}={LIBRARIES}/{index}" for index, path in enumerate(job.python_path)]
        return self._plan(job.packages, binds=(*files, *folders))


def _document(job: Job) -> dict[str, Any]:
    folders = [f"{LIBRARIES}/{index}" for index in range(len(job.python_path))]
    return document_of(job, folders, memory=job.limits.memory)


def _exit_code(notice: Mapping[str, Any]) -> int | None:
    """As a shell has it: a signal is a negative number."""
    signal = notice.get("signal")
    return -int(signal) if signal is not None else notice.get("code")
