"""`Session`: one job in one worker that is there already, from the job's text to what became of it."""

from __future__ import annotations

import asyncio  # for its loop tells by callbacks what can be read, which costs no task for each stream
import socket
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from gleitzeit_python.broker.clock import Clock, Timed
from gleitzeit_python.broker.conversation import Conversation
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.broker.streams import Pipe
from gleitzeit_python.broker.verdict import Ending, outcome_of
from gleitzeit_python.sandbox.base import Host, Job, Outcome

_PIECE = 64 << 10


class Worker(Protocol):
    """A process that waits for its job on a socket."""

    @property
    def pidfd(self) -> int:
        """Can be read once the process is gone."""
        ...

    @property
    def rpc(self) -> socket.socket:
        """Our end of the socket, which does not block."""
        ...

    @property
    def stdout(self) -> int:
        """Our end of a pipe, which does not block."""
        ...

    @property
    def stderr(self) -> int:
        """Our end of a pipe, which does not block."""
        ...

    def kill(self) -> None:
        """End the process with all that it has started, at once."""
        ...


class Session:
    """Hands `text`, the job as a frame, to the worker, and stands between its code and the host until it is over."""

    def __init__(
        self, worker: Worker, text: bytes, job: Job, host: Host, quota: Quota, facts: Mapping[str, Any]
    ) -> None:
        self._worker = worker
        self._text = text
        self._job = job
        self._host = host
        self._quota = quota
        self._facts = facts
        self._stdout = Pipe(worker.stdout, job.limits.output)
        self._stderr = Pipe(worker.stderr, job.limits.output)

    async def run(self) -> Outcome:
        """What became of it. The worker does not outlive this, whatever happens; the last of it may still be buried."""
        started = time.monotonic()
        ending: Ending | None = None
        try:
            async with anyio.create_task_group() as tasks:
                ending = await self._converse(tasks)
                self._worker.kill()
        finally:
            self._worker.kill()
        assert ending is not None
        for stream in (self._stdout, self._stderr):
            stream.drain()
        facts = {**self._facts, "calls": ending.calls}
        return outcome_of(ending, self._stdout, self._stderr, time.monotonic() - started, facts)

    async def _converse(self, tasks: TaskGroup) -> Ending:
        clock = Clock(self._job.limits.timeout, self._host.waited)
        conversation = Conversation(self._job, Timed(self._host, clock), self._send, tasks, self._quota)
        with self._watching(conversation):
            in_time = await clock.until(lambda: self._exchange(conversation))
        if not conversation.quiet:
            tasks.cancel_scope.cancel()
        return Ending.of(conversation, in_time=in_time)

    async def _exchange(self, conversation: Conversation) -> None:
        text, self._text = self._text, b""
        with suppress(OSError):  # a worker that is gone says so by its pidfd
            if text:
                await conversation.write(text)
        await conversation.over.wait()

    async def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._worker.rpc.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._worker.rpc)

    @contextmanager
    def _watching(self, conversation: Conversation) -> Generator[None]:
        loop = asyncio.get_running_loop()
        watched: dict[int, Callable[[], None]] = {
            self._worker.rpc.fileno(): lambda: self._receive(conversation),
            self._worker.stdout: lambda: self._capture(self._stdout),
            self._worker.stderr: lambda: self._capture(self._stderr),
            self._worker.pidfd: lambda: self._notice_end(conversation),
        }
        for descriptor, callback in watched.items():
            loop.add_reader(descriptor, callback)
        try:
            yield
        finally:
            for descriptor in watched:
                loop.remove_reader(descriptor)

    def _receive(self, conversation: Conversation) -> None:
        """A plain recv, by which the kernel drops descriptors that somebody sends along."""
        try:
            data = self._worker.rpc.recv(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            conversation.take(data)
        else:
            asyncio.get_running_loop().remove_reader(self._worker.rpc.fileno())

    def _capture(self, stream: Pipe) -> None:
        stream.read()
        if not stream.open:
            asyncio.get_running_loop().remove_reader(stream.descriptor)

    def _notice_end(self, conversation: Conversation) -> None:
        """The process is gone; what it has sent before may still be in the socket."""
        asyncio.get_running_loop().remove_reader(self._worker.pidfd)
        for _ in range(256):
            try:
                data = self._worker.rpc.recv(_PIECE)
            except OSError:
                break
            if not data or conversation.over.is_set():
                break
            conversation.take(data)
        conversation.cut("")
