"""What a run gives back once it is completed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core import graph
from gleitzeit.core.models import Workflow
from gleitzeit.core.references import Scope, compile_template
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local.results import copied
from gleitzeit.engine.local.secrets import Vault


async def outputs_of(
    workflow: Workflow,
    results: Mapping[str, Any],
    inputs: Mapping[str, Any],
    run_id: str,
    secrets: Mapping[str, str],
    evaluator: Evaluator,
) -> dict[str, Any]:
    """The document's `outputs`, else the results of the tasks that nobody depends on, by id.

    Raises `ReferenceUnresolvedError` for a field that is not there.
    """
    if workflow.outputs is None:
        return {task_id: results.get(task_id) for task_id in _last(workflow)}
    vault = Vault(secrets)
    scope = Scope(tasks=results, inputs=inputs, run_id=run_id, secrets=vault)
    values = await evaluator.resolve(compile_template(workflow.outputs), scope)
    return dict(vault.redact(copied(values)))


def _last(workflow: Workflow) -> list[str]:
    edges = graph.edges(workflow)
    needed = {name for names in edges.values() for name in names}
    return [task_id for task_id in edges if task_id not in needed]
