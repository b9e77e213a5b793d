"""`ExpressionPool`: processes that evaluate heavy expressions, and can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from gleitzeit.core.errors import ExpressionError
from gleitzeit.engine.expression_process import LONGEST_ANSWER

PROCESSES = 2
HINT = "let a task compute it, or let the expression look at less"

_START_DEADLINE = 30.0
_LOST = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead, anyio.DelimiterNotFound)
_PASSED_ON = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "SYSTEMROOT",
    "USERPROFILE",
)


def process_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """What a process is told of `environment`: what Python needs to start, and nothing that may be a secret."""
    return {name: environment[name] for name in _PASSED_ON if name in environment}


class ExpressionProcess:
    """One process; it answers one question at a time."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self._questions = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    @classmethod
    async def start(cls) -> ExpressionProcess:
        """One that is ready for a question. Raises `ExpressionError` where it cannot be started."""
        try:
            started = cls(await _process())
            try:
                with anyio.fail_after(_START_DEADLINE):
                    await started._answer()
            except BaseException:
                await started.end()
                raise
        except (TimeoutError, OSError, *_LOST) as error:
            raise ExpressionError(
                "the process that evaluates large expressions could not be started",
                hint="the standard error of the server has the reason",
                code="internal",
            ) from error
        return started

    async def ask(self, source: str, data: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to one question. Raises `ExpressionError` where the process ends over it."""
        try:
            await self._questions.send(json.dumps({"source": source, "data": data}).encode() + b"\n")
            return await self._answer()
        except _LOST as error:
            raise ExpressionError(f"the expression needed more than it may have: {source[:100]}", hint=HINT) from error

    async def end(self) -> None:
        """Kill the process, and return once it is gone."""
        with anyio.CancelScope(shield=True):
            if self.process.returncode is None:
                self.process.kill()
            await self.process.aclose()

    async def _answer(self) -> dict[str, Any]:
        line = await self._answers.receive_until(b"\n", LONGEST_ANSWER)
        answer: dict[str, Any] = json.loads(line)
        return answer


class ExpressionPool:
    """At most `size` processes, each started when there is none to spare."""

    def __init__(self, size: int = PROCESSES) -> None:
        self._turns = anyio.Semaphore(size)
        self.idle: list[ExpressionProcess] = []

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[ExpressionProcess]:
        """A process for as long as the context lasts; waits for one, and ends it where the body raises anything.

        Raises `ExpressionError` where none can be started.
        """
        async with self._turns:
            process = self.idle.pop() if self.idle else await ExpressionProcess.start()
            try:
                yield process
            except BaseException:  # its answer may still come, and would be taken for that of the next question
                await process.end()
                raise
            self.idle.append(process)

    async def close(self) -> None:
        """End all processes."""
        while self.idle:
            await self.idle.pop().end()


async def _process() -> Process:
    # Without -P, modules of the folder that the server was started in would stand in for those of the library.
    command = [sys.executable, "-P", "-m", "gleitzeit.engine.expression_process"]
    environment = process_environment(os.environ)
    process: Process | None = None
    with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
        process = await anyio.open_process(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, env=environment
        )
    assert process is not None
    return process
