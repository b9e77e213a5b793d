"""`StreamSession`: one job in one worker at the other end of a `Line`, from the job's text to what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit_python.broker.clock import Clock, Timed
from gleitzeit_python.broker.conversation import Conversation
from gleitzeit_python.broker.frames import FrameError, parsed
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.broker.streams import Capture
from gleitzeit_python.broker.verdict import Ending, outcome_of
from gleitzeit_python.sandbox.base import Ended, Host, Job, Outcome
from gleitzeit_python.stdio.base import Line
from gleitzeit_python.stdio.channels import ChannelReader, Kind

_LAST_WORDS = 2.0
_GONE = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class StreamSession:
    """Hands `text`, the job as a frame, to the worker, and stands between its code and the host until it is over.

    `clean` says afterwards that the worker has told of the end by itself: only then has it not been killed.
    """

    def __init__(self, line: Line, text: bytes, job: Job, host: Host, quota: Quota, facts: Mapping[str, Any]) -> None:
        self.clean = False
        self._line = line
        self._text = text
        self._job = job
        self._host = host
        self._quota = quota
        self._facts = facts
        self._printed = {kind: Capture(job.limits.output) for kind in (Kind.OUTPUT, Kind.ERRORS)}
        self._notice: Mapping[str, Any] = {}
        self._silent = anyio.Event()

    async def run(self) -> Outcome:
        """What became of it. Unless all went well, the worker does not outlive this, whatever happens."""
        started = time.monotonic()
        ending: Ending | None = None
        try:
            async with anyio.create_task_group() as tasks:
                ending = await self._converse(tasks)
                tasks.cancel_scope.cancel()
        finally:
            if not self.clean:
                with anyio.CancelScope(shield=True):
                    await self._line.kill()
        assert ending is not None
        return self._outcome(ending, time.monotonic() - started)

    async def _converse(self, tasks: TaskGroup) -> Ending:
        clock = Clock(self._job.limits.timeout, self._host.waited)
        conversation = Conversation(self._job, Timed(self._host, clock), self._line.send, tasks, self._quota)
        tasks.start_soon(self._listen, conversation)
        in_time = await clock.until(lambda: self._exchange(conversation))
        if conversation.end is not None:  # output that it has made before may still be on its way
            with anyio.move_on_after(_LAST_WORDS):
                await self._silent.wait()
        return Ending.of(conversation, in_time=in_time)

    async def _exchange(self, conversation: Conversation) -> None:
        text, self._text = self._text, b""
        with suppress(*_GONE):  # a worker that is gone says so by its silence
            if text:
                await conversation.write(text)
        await conversation.over.wait()

    async def _listen(self, conversation: Conversation) -> None:
        channels = ChannelReader()
        try:
            while not self._silent.is_set() and (data := await self._line.receive()):
                for kind, piece in channels.feed(data):
                    self._take(kind, piece, conversation)
        except FrameError as error:
            conversation.cut(f"the code sent {error}")
        except _GONE:
            pass
        self._silent.set()
        conversation.cut("")

    def _take(self, kind: Kind, piece: bytes, conversation: Conversation) -> None:
        if kind is Kind.FRAMES:
            if not conversation.over.is_set():
                conversation.take(piece)
        elif kind is Kind.END:
            self._notice = parsed(piece)
            self.clean = self._exit_code is not None
            self._silent.set()
        else:
            self._printed[kind].add(piece)

    def _outcome(self, ending: Ending, duration: float) -> Outcome:
        facts = {**self._facts, "calls": ending.calls}
        outcome = outcome_of(ending, self._printed[Kind.OUTPUT], self._printed[Kind.ERRORS], duration, facts)
        code = self._exit_code if ending.end is None else outcome.exit_code
        return replace(outcome, ended=self._ended(ending), exit_code=code)

    def _ended(self, ending: Ending) -> Ended:
        if ending.ended == "crashed" and self._notice.get("memory") is True:
            return "memory"
        return ending.ended

    @property
    def _exit_code(self) -> int | None:
        code = self._notice.get("exit")
        return code if isinstance(code, int) and -256 < code < 256 else None
