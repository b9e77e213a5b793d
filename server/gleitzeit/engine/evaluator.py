"""`Evaluator`: CEL where it is cheap, and in a process that can be killed where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import anyio
import anyio.lowlevel
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from gleitzeit.core.errors import ExpressionError
from gleitzeit.core.expressions import LIGHT, Expression, evaluate
from gleitzeit.core.references import Scope, Template

DEADLINE = 2.0
_START_DEADLINE = 30.0
_LONGEST_ANSWER = 64 * 1024 * 1024


class Evaluator:
    """Resolves templates.

    An expression too heavy for the event loop is evaluated by one child process, which is started when first needed
    and replaced when it takes longer than `deadline` seconds.
    """

    def __init__(self, *, deadline: float = DEADLINE, light: int = LIGHT) -> None:
        self._deadline = deadline
        self._light = light
        self._lock = anyio.Lock()
        self._worker: _Worker | None = None

    async def resolve(self, template: Template, scope: Scope) -> Any:
        """The template's value. Raises `ReferenceUnresolvedError` and `ExpressionError`."""
        values: dict[str, Any] = {}
        for expression in template.expressions:
            if values:  # many light ones in a row must not hold up the loop together
                await anyio.lowlevel.checkpoint()
            values[expression.source] = await self._value(expression, scope)
        return template.resolve(scope, values)

    async def close(self) -> None:
        """End the child process, if there is one."""
        if self._worker is not None:
            worker, self._worker = self._worker, None
            await worker.end()

    async def _value(self, expression: Expression, scope: Scope) -> Any:
        data = expression.data(scope)
        if expression.weight(data) <= self._light:
            return evaluate(expression.source, data)
        async with self._lock:
            return await self._elsewhere(expression.source, data)

    async def _elsewhere(self, source: str, data: dict[str, Any]) -> Any:
        if self._worker is None:
            self._worker = await _Worker.start()
        try:
            with anyio.fail_after(self._deadline):
                answer = await self._worker.ask({"source": source, "data": data})
        except TimeoutError:
            await self.close()
            raise ExpressionError(
                f"the expression took longer than {self._deadline:g} s: {source[:100]}",
                hint="compute it in a task of its own, with python/execute",
            ) from None
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.IncompleteRead) as error:
            await self.close()
            raise ExpressionError(
                f"the expression needed more than it may have: {source[:100]}",
                hint="compute it in a task of its own, with python/execute",
            ) from error
        except BaseException:  # cancelled: an answer may still come, and would be taken for that of the next question
            await self.close()
            raise
        if "error" in answer:
            raise ExpressionError(answer["error"], hint=answer.get("hint"), code=answer.get("code"))
        return answer["value"]


class _Worker:
    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._questions = process.stdin
        self._answers = BufferedByteReceiveStream(process.stdout)

    @classmethod
    async def start(cls) -> _Worker:
        command = [sys.executable, "-m", "gleitzeit.engine.expression_worker"]
        with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
            process = await anyio.open_process(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None)
        worker = cls(process)
        try:
            with anyio.fail_after(_START_DEADLINE):
                await worker._answer()
        except BaseException:
            await worker.end()
            raise
        return worker

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        await self._questions.send(json.dumps(question).encode() + b"\n")
        return await self._answer()

    async def _answer(self) -> dict[str, Any]:
        line = await self._answers.receive_until(b"\n", _LONGEST_ANSWER)
        answer: dict[str, Any] = json.loads(line)
        return answer

    async def end(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._process.returncode is None:
                self._process.kill()
            await self._process.aclose()
