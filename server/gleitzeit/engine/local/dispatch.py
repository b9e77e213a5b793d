"""`Dispatch`: what one task asks for, resolved against the data that is there when it starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleitzeit.core.data import is_list, kind_of
from gleitzeit.core.errors import LimitError, ValidationError
from gleitzeit.core.models import Task
from gleitzeit.core.references import Scope, Template, compile_condition, compile_parameters, compile_template
from gleitzeit.engine.evaluator import RunEvaluator
from gleitzeit.engine.local.context import Methods

MOST_ITEMS = 100_000


class Dispatch:
    """A task with its `when`, `foreach` and parameters, each compiled when first needed."""

    __slots__ = ("_parameters", "task")

    def __init__(self, task: Task) -> None:
        self.task = task
        self._parameters: Template | None = None

    @property
    def certain(self) -> bool:
        """Whether it is carried out without a look at any data first."""
        return self.task.when is None and self.task.foreach is None

    async def wanted(self, evaluator: RunEvaluator, scope: Scope) -> bool:
        """Whether its own `when` lets it run."""
        when = self.task.when
        return when is None or bool(await evaluator.resolve(compile_condition(when), scope))

    async def items(self, evaluator: RunEvaluator, scope: Scope) -> Sequence[Any]:
        """What its `foreach` goes through."""
        foreach = self.task.foreach
        value = await evaluator.resolve(compile_template(foreach), scope)
        if not is_list(value):
            raise ValidationError(
                f"foreach: {foreach!r} is {kind_of(value)}, not a list", hint="refer to the field that has the list"
            )
        if len(value) > MOST_ITEMS:
            raise LimitError(
                f"foreach: {len(value):,} items are more than {MOST_ITEMS:,}", hint="let one task handle many items"
            )
        return value

    async def parameters(self, methods: Methods) -> Template:
        """Its parameters' template. The method is asked which of them are code, into which nothing is filled."""
        if self._parameters is None:
            task = self.task
            template = compile_parameters(task.method, task.parameters)
            if not template.static:
                spec = await methods.describe(task.method)
                if spec is not None and spec.code:
                    template = compile_parameters(task.method, task.parameters, spec.code)
            self._parameters = template
        return self._parameters
