"""`PlainSandbox`: the tier `none`, a process with the rights of this server. For code that is trusted, and no other."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.broker.document import document_of
from gleitzeit_python.broker.frames import framed
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.sandbox.base import Availability, Host, Job, Outcome, Sandbox, Tier
from gleitzeit_python.stdio import program
from gleitzeit_python.stdio.process import ProcessLine
from gleitzeit_python.stdio.ready import begin
from gleitzeit_python.stdio.session import StreamSession
from gleitzeit_python.worker.removal import remove

_WORK = "work"
_SCRATCH = "scratch"


class PlainSandbox(Sandbox):
    """A process group for each job, with limits where the system has them; nothing keeps it from this machine."""

    tier: Tier = "none"

    def __init__(self, quota: Quota | None = None) -> None:
        self._quota = quota or Quota()

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Nothing is kept ready: each job has a process of its own."""
        able = availability()
        if not able.available:
            raise ProviderUnavailableError(able.reason, hint=able.hint)
        yield

    async def run(self, job: Job, host: Host) -> Outcome:
        """Carry a job out in a new process, whose group does not outlive it."""
        folder = await anyio.to_thread.run_sync(_folder, job)
        try:
            return await self._run_in(folder, job, host)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(remove, str(folder))

    def facts(self) -> Mapping[str, Any]:
        """That there is no isolation."""
        return {"tier": self.tier, "network": "host", "subprocesses": True}

    async def _run_in(self, folder: Path, job: Job, host: Host) -> Outcome:
        work = str(folder / _WORK)
        frame = framed(document_of(job, [str(path) for path in job.python_path], memory=job.limits.memory))
        bare = [] if job.packages == "host" else ["-S"]
        line = await ProcessLine.start([sys.executable, "-I", *bare, "-c", program.BOOT], folder=work, env={})
        try:
            await begin(line, program.text(work, str(folder / _SCRATCH)), "a process for the code")
            return await StreamSession(line, frame, job, host, self._quota, self.facts()).run()
        finally:
            await line.kill()


def availability() -> Availability:
    """Whether this system can run code so: it has to be able to fork."""
    if hasattr(os, "fork"):
        return Availability("none", available=True, facts={"tier": "none"})
    return Availability(
        "none",
        available=False,
        reason=f"code can't run unprotected on {sys.platform}, where processes can't fork",
        hint='use the tier wasm (pip install "gleitzeit-mcp[wasm]") or docker',
    )


def _folder(job: Job) -> Path:
    """A folder to work in, with links to the files that the job was given."""
    folder = Path(tempfile.mkdtemp(prefix="gleitzeit-plain-"))
    for name in (_WORK, _SCRATCH):
        (folder / name).mkdir()
    for name, path in job.files.items():
        link = folder / _WORK / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return folder
