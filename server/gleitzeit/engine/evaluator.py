"""`Evaluator`: CEL where it is cheap, and in a process that can be killed where it is not."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel

from gleitzeit.core.errors import ExpressionError
from gleitzeit.core.expressions import LIGHT, Expression, evaluate
from gleitzeit.core.references import Scope, Template
from gleitzeit.engine.expression_pool import HINT, ExpressionPool

DEADLINE = 2.0
"""Seconds that one heavy expression may take."""

BUDGET = 10.0
"""Seconds that all heavy expressions of one run may take together."""


class Evaluator:
    """What all runs share: the limits, and the processes, which are started when first needed."""

    def __init__(self, *, deadline: float = DEADLINE, budget: float = BUDGET, light: int = LIGHT) -> None:
        self.deadline = deadline
        self.budget = budget
        self.light = light
        self.pool = ExpressionPool()

    def for_run(self) -> RunEvaluator:
        """What the tasks of one run resolve their templates with."""
        return RunEvaluator(self)

    async def close(self) -> None:
        """End the processes, if there are any."""
        await self.pool.close()


class RunEvaluator:
    """Resolves the templates of one run.

    An expression too heavy for the event loop goes to a process. Each has its `deadline`, all together have the
    `budget`, and only one is asked for at a time, so that no run keeps the others waiting for long.
    """

    __slots__ = ("_left", "_lock", "_shared")

    def __init__(self, shared: Evaluator) -> None:
        self._shared = shared
        self._left = shared.budget
        self._lock: anyio.Lock | None = None  # most runs have nothing that needs it

    async def resolve(self, template: Template, scope: Scope) -> Any:
        """The template's value. Raises `ReferenceUnresolvedError`, `ExpressionError` and `LimitError`."""
        values: dict[str, Any] = {}
        for expression in template.expressions:
            if values:  # many light ones in a row must not hold up the loop together
                await anyio.lowlevel.checkpoint()
            values[expression.source] = await self._value(expression, scope)
        return template.resolve(scope, values)

    async def _value(self, expression: Expression, scope: Scope) -> Any:
        data = expression.data(scope)
        if expression.weight(data) <= self._shared.light:
            return evaluate(expression.source, data)
        self._lock = self._lock or anyio.Lock()
        async with self._lock:
            answer = await self._elsewhere(expression.source, data)
        if "error" in answer:
            raise ExpressionError(answer["error"], hint=answer.get("hint"), code=answer.get("code"))
        return answer["value"]

    async def _elsewhere(self, source: str, data: dict[str, Any]) -> dict[str, Any]:
        if self._left <= 0:
            raise self._spent(source)
        try:
            async with self._shared.pool.process() as process:
                begun = anyio.current_time()
                try:
                    with anyio.fail_after(min(self._shared.deadline, self._left)):
                        return await process.ask(source, data)
                finally:
                    self._left -= anyio.current_time() - begun
        except TimeoutError:
            if self._left <= 0:
                raise self._spent(source) from None
            raise ExpressionError(
                f"the expression took longer than {self._shared.deadline:g} s: {source[:100]}", hint=HINT
            ) from None

    def _spent(self, source: str) -> ExpressionError:
        budget = self._shared.budget
        return ExpressionError(
            f"the expressions of this run took longer than {budget:g} s together, at: {source[:100]}", hint=HINT
        )
