"""One question to a model and its whole answer, which is told of while it comes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit_ollama.answers.answer import Answer
from gleitzeit_ollama.answers.parsed import parsed, unusable
from gleitzeit_ollama.calls.inference import inference, note_usage
from gleitzeit_ollama.calls.limit import time_limit
from gleitzeit_ollama.calls.progress import TokenProgress
from gleitzeit_ollama.calls.wants import want_of
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.repairs import repair
from gleitzeit_ollama.pool.base import Pool, Reply


class Exchange:
    """Has a pool answer one question after the other, as the task that is being carried out."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def answer(self, asked: Asked, task: TaskContext | None = None) -> dict[str, Any]:
        """The result of one call; its tokens become progress, and its facts metadata, of `task`: the current one.

        An answer that is not what `format` asks for is asked for once more. Raises `ProviderError` where that is none
        either, `TimeoutError` where it takes longer than asked, and what the pool raises.
        """
        with time_limit(asked.method, asked.timeout):
            return await _Telling(self._pool, asked, task or current_task()).result()


class _Telling:
    """One call, from its first question to its result."""

    def __init__(self, pool: Pool, asked: Asked, task: TaskContext) -> None:
        self._pool = pool
        self._asked = asked
        self._task = task
        self._started = time.monotonic()
        self._first: float | None = None
        self._progress = TokenProgress(task.report_progress, asked.most_tokens)

    async def result(self) -> dict[str, Any]:
        self._task.record(model=self._asked.model)
        answer = await self._ask(self._asked)
        result = answer.result(self._asked.keeps)
        if self._asked.format is not None and not answer.asks_for_tools:
            result = await self._checked(self._asked.format, answer, result)
        self._task.record(duration=self._elapsed())
        return result

    async def _checked(
        self, answer_format: str | Mapping[str, Any], answer: Answer, result: dict[str, Any]
    ) -> dict[str, Any]:
        """The result with the data that the text is; asked for once more where it is none."""
        read = parsed(answer.text, answer_format)
        if read.problem is None:
            return {**result, "parsed": read.value}
        if answer.cut_off:
            raise unusable(answer.text, read.problem, cut_off=True, repaired=False)
        self._task.record(repaired=True)
        second = await self._ask(repair(self._asked, answer.text, read.problem), show=False)
        again = parsed(second.text, answer_format)
        if again.problem is not None:
            raise unusable(second.text, again.problem, cut_off=second.cut_off, repaired=True)
        repaired = second.result(self._asked.keeps)
        return {**repaired, "usage": _sum(result["usage"], repaired["usage"]), "parsed": again.value}

    async def _ask(self, asked: Asked, *, show: bool = True) -> Answer:
        """One streamed answer; only the text of the first one is shown, for a second one takes its place."""
        answer = Answer(asked.model)
        with inference(asked.path, asked.model) as span:
            async with self._pool.stream(asked.path, asked.payload, want_of(asked)) as reply:
                self._task.record(node=reply.node, cold=reply.cold, waited=round(reply.waited, 6), tries=reply.tries)
                await self._read(reply, answer, show)
            note_usage(span, answer.usage)
        await self._progress.flush()
        self._task.record(load_duration=answer.load_seconds)
        return answer

    async def _read(self, reply: Reply, answer: Answer, show: bool) -> None:
        async for line in reply:
            text = answer.add(line)
            if text is None:
                continue
            if self._first is None:
                self._first = self._elapsed()
                self._task.record(time_to_first_token=self._first)
            await self._progress.add(text if show else "")

    def _elapsed(self) -> float:
        return round(time.monotonic() - self._started, 6)


def _sum(first: Mapping[str, int], second: Mapping[str, int]) -> dict[str, int]:
    return {name: first[name] + second[name] for name in first}
