"""What a run gives back once it is completed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Failure
from gleitzeit.core.references import Scope, Template, compile_template
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.failures import log_defect
from gleitzeit.engine.local.results import measured

Given = dict[str, Any] | Failure
"""What a run gives back, or why it gives nothing."""


def default(results: Mapping[str, Any], sinks: Sequence[str]) -> dict[str, Any]:
    """The results of the tasks that nobody depends on, by id."""
    return {task_id: results.get(task_id) for task_id in sinks}


def declared(context: RunContext) -> Given | None:
    """What the document's `outputs` say, or why they say nothing; None where that has to be computed first."""
    try:
        template = compile_template(context.run.workflow.outputs)
        if template.expressions:
            return None
        return _given(template.resolve(_scope(context)), context)
    except GleitzeitError as error:
        return Failure.of(error)


class Outputs:
    """Computes the outputs of a run, and tells them, or why there are none, unless it is stopped."""

    def __init__(self, context: RunContext, tell: Callable[[Outputs, Given], None]) -> None:
        self._context = context
        self._tell = tell
        self._scope = anyio.CancelScope()

    def stop(self) -> None:
        """Compute no further."""
        self._scope.cancel()

    async def run(self) -> bool:
        """Compute and tell."""
        with self._scope:
            await self._compute()
        return True

    async def _compute(self) -> None:
        context = self._context
        template: Template = compile_template(context.run.workflow.outputs)
        try:
            given = _given(await context.evaluator.resolve(template, _scope(context)), context)
        except GleitzeitError as error:
            self._tell(self, Failure.of(error))
        except Exception as error:  # noqa: BLE001 - a defect of ours: whoever waits for the run is told
            log_defect(f"the outputs of run {context.run.id} failed by a defect", error, context.secrets.redact)
            self._tell(
                self, Failure("internal", f"the engine failed: {type(error).__name__}", "the log has its traceback")
            )
        else:
            self._tell(self, given)


def _given(values: Any, context: RunContext) -> dict[str, Any]:
    data, _ = measured(values, context.parts.result_bytes, "the value of `outputs`")
    return dict(context.secrets.redact(data))


def _scope(context: RunContext) -> Scope:
    run = context.run
    return Scope(tasks=context.results, inputs=run.inputs, run_id=run.id, secrets=context.secrets)
