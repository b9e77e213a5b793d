"""What a run gives back once it is completed."""

from __future__ import annotations

from typing import Any

from gleitzeit.core import graph
from gleitzeit.core.models import Workflow
from gleitzeit.core.references import Scope, compile_template
from gleitzeit.engine.evaluator import RunEvaluator
from gleitzeit.engine.local.results import measured
from gleitzeit.engine.local.secrets import RunSecrets


async def outputs_of(
    workflow: Workflow, scope: Scope, secrets: RunSecrets, evaluator: RunEvaluator, limit: int
) -> dict[str, Any]:
    """The document's `outputs`, else the results of the tasks that nobody depends on, by id.

    Raises `ReferenceUnresolvedError` for a field that is not there, and `LimitError` over `limit` bytes.
    """
    if workflow.outputs is None:
        return {task_id: scope.tasks.get(task_id) for task_id in graph.sinks(graph.edges(workflow))}
    values = await evaluator.resolve(compile_template(workflow.outputs), scope)
    data, _ = measured(values, limit, "the value of `outputs`")
    return dict(secrets.redact(data))
