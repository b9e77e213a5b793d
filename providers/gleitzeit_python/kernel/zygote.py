"""`Zygote`: a fork server of ours, from its start to its end."""

from __future__ import annotations

import asyncio  # for its loop tells by a callback what the zygote says
import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import anyio

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.kernel.ends import close_ends, open_ends
from gleitzeit_python.kernel.plan import Plan, executed
from gleitzeit_python.kernel.worker import WorkerProcess
from gleitzeit_python.worker.removal import remove

START_SECONDS = 30.0
SPAWN_SECONDS = 10.0

_LONGEST = 64 << 10
_KEPT_STDERR = 8 << 10


class ZygoteError(Exception):
    """A zygote that could not start, with the step at which it failed."""


class Zygote:
    """A running fork server. `jobs` counts its workers that have a job; `facts` are what it said of itself."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket) -> None:
        self.process = process
        self.facts: Mapping[str, Any] = {}
        self.jobs = 0
        self.spawned = 0
        self.gone = False
        self._control = control
        self._answers: list[tuple[Mapping[str, Any], list[int]]] = []
        self._answered = anyio.Event()
        self._turn = anyio.Lock()
        self._workers: dict[int, WorkerProcess] = {}
        self._folders: dict[int, str] = {}
        self._stderr = bytearray()

    @classmethod
    async def start(cls, plan: Plan) -> Zygote:
        """One that is ready to make workers. Raises `ZygoteError` where it cannot be had."""
        zygote = cls(*executed(plan.python))
        try:
            zygote._watch()
            zygote._control.send(plan.text())
            zygote.facts = await zygote._ready()
        except BaseException:
            await zygote.ended()
            raise
        return zygote

    async def _ready(self) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = {"error": f"it was not ready within {START_SECONDS:g} s"}
        with anyio.move_on_after(START_SECONDS):
            answer, _ = await self._answer()
        if answer.get("ready") is True:
            return answer
        step = f" (at the step {answer['step']})" if "step" in answer else ""
        raise ZygoteError(f"{answer.get('error', 'it said something else')}{step}{self._complaint()}")

    def _complaint(self) -> str:
        words = self._stderr.decode("utf-8", "replace").strip().splitlines()
        return f"; it wrote: {words[-1]}" if words else ""

    async def spawn(self, folder: str | None) -> WorkerProcess:
        """A worker, locked down, that waits for its job, in a new folder where one is named.

        Raises `ProviderUnavailableError` where it can't be had.
        """
        async with self._turn:
            with anyio.CancelScope(shield=True):  # an answer that nobody takes would be taken for that of the next
                with anyio.move_on_after(SPAWN_SECONDS):
                    return await self._spawn_in(folder)
                self.close()
        raise ProviderUnavailableError(f"the fork server of the sandbox said nothing for {SPAWN_SECONDS:g} s")

    async def _spawn_in(self, folder: str | None) -> WorkerProcess:
        try:
            worker = await self._spawn(folder)
            if folder is not None:
                self._folders[worker.pid] = folder
            return worker
        except BaseException:
            if folder is not None:
                with suppress(OSError):  # where a worker is in it after all, it is the zygote's to remove
                    os.rmdir(folder)  # noqa: PTH106 it is empty, and at hand
            raise

    async def _spawn(self, folder: str | None) -> WorkerProcess:
        ours, theirs = open_ends()
        try:
            socket.send_fds(self._control, [json.dumps({"spawn": {"work": folder}}).encode()], theirs)
            answer, descriptors = await self._answer()
            self._check(answer, descriptors)
        except BaseException as error:
            close_ends(ours)
            if isinstance(error, OSError):
                raise ProviderUnavailableError(f"the fork server of the sandbox is gone: {error}") from error
            raise
        finally:
            close_ends(theirs)
        self.spawned += 1
        stdout, stderr, rpc = ours
        worker = WorkerProcess(int(answer["pid"]), descriptors[0], socket.socket(fileno=rpc), stdout, stderr)
        self._workers[worker.pid] = worker
        return worker

    def _check(self, answer: Mapping[str, Any], descriptors: Sequence[int]) -> None:
        if not descriptors:
            raise ProviderUnavailableError(f"the sandbox has no worker: {answer.get('error')}{self._complaint()}")

    def close(self) -> None:
        """End it, and with it all of its workers."""
        if self._control.fileno() < 0:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._control.fileno())
        if self.process.stderr is not None:
            loop.remove_reader(self.process.stderr.fileno())
            self.process.stderr.close()
        self._control.close()
        self._note_end()
        for worker in self._workers.values():
            worker.kill()

    async def ended(self) -> None:
        """Close it and return once the process is gone, whoever waits; one that does not go is killed."""
        self.close()
        with anyio.CancelScope(shield=True):
            await self._gone()
            if self._folders:  # those that it has not removed, for it was killed
                await anyio.to_thread.run_sync(self._sweep)

    def _sweep(self) -> None:
        for folder in self._folders.values():
            remove(folder)

    async def _gone(self) -> None:
        if self.process.poll() is not None:
            return
        descriptor = os.pidfd_open(self.process.pid)
        try:
            with anyio.move_on_after(SPAWN_SECONDS):
                await anyio.wait_readable(descriptor)
            self.process.kill()
            await anyio.wait_readable(descriptor)
        finally:
            os.close(descriptor)
            self.process.poll()

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._control.fileno(), self._hear)
        assert self.process.stderr is not None
        os.set_blocking(self.process.stderr.fileno(), False)
        loop.add_reader(self.process.stderr.fileno(), self._complain)

    def _complain(self) -> None:
        assert self.process.stderr is not None
        try:
            data = os.read(self.process.stderr.fileno(), _LONGEST)
        except BlockingIOError:
            return
        if not data:
            asyncio.get_running_loop().remove_reader(self.process.stderr.fileno())
        self._stderr += data
        del self._stderr[:-_KEPT_STDERR]

    def _hear(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._control, _LONGEST, 4, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return
        except OSError:
            data, descriptors = b"", []
        if not data:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._note_end()
            return
        message = json.loads(data)
        if "exited" in message:
            self._note_exit(message)
        else:
            self._answers.append((message, list(descriptors)))
            self._answered.set()

    def _note_exit(self, notice: Mapping[str, Any]) -> None:
        pid = int(notice["exited"])
        self._folders.pop(pid, None)
        worker = self._workers.pop(pid, None)
        if worker is not None:
            worker.exit = notice
            worker.exited.set()

    def _note_end(self) -> None:
        self.gone = True
        self._answered.set()
        for worker in self._workers.values():
            worker.exited.set()

    async def _answer(self) -> tuple[Mapping[str, Any], list[int]]:
        while not self._answers:
            if self.gone:
                return {"error": "the fork server has ended"}, []
            self._answered = anyio.Event()
            await self._answered.wait()
        return self._answers.pop(0)
