"""`workflow/run`: a workflow as a task of another one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from gleitzeit.application.checking import carried_out, check_source
from gleitzeit.core.errors import MethodNotFoundError, ValidationError, WorkflowNotFoundError
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Failure, Run
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

WORKFLOW_PROTOCOL = Protocol(
    "workflow/v1",
    name="Workflows",
    description="Run a workflow inside of a task.",
    methods=[
        MethodSpec(
            name=RUN_WORKFLOW,
            description="Run a workflow, given inline, and return its outputs.",
            parameters={
                "type": "object",
                "properties": {
                    "workflow": {"type": ["object", "string"], "description": "The document, as an object or as YAML"},
                    "name": {"type": "string", "description": "The name of a saved workflow; none can be saved yet"},
                    "inputs": {"type": "object", "description": "What it is run with"},
                    "timeout": {"type": "number", "description": "Seconds that it may take"},
                },
                "additionalProperties": False,
            },
            returns={"type": "object"},
        )
    ],
)


class WorkflowProvider(ProtocolProvider):
    """Runs workflows as child runs of the task that asks for them; the engine limits how deep they may be."""

    def __init__(self, registry: ProtocolProviderRegistry, provider_id: str = "workflow") -> None:
        super().__init__(provider_id, WORKFLOW_PROTOCOL.id, name="Workflows", description=WORKFLOW_PROTOCOL.description)
        self.protocol = WORKFLOW_PROTOCOL
        self._registry = registry

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """The outputs of the child run. Raises its first failed task's error, in the words of that task.

        Raises `DocumentError` and `ValidationError` for a workflow or inputs that do not fit.
        """
        if method != RUN_WORKFLOW:
            raise MethodNotFoundError(f'there is no method "{method}"', hint=f'did you mean "{RUN_WORKFLOW}"?')
        task = current_task()
        workflow = (await check_source(self._registry, _document(parameters))).require()
        given = parameters.get("inputs", {})
        bound = await carried_out(given, partial(bind_inputs, workflow, given))
        run = await task.support.start_workflow(workflow, bound)
        task.record(child_run=run.id)
        if run.status == "completed":
            return dict(run.outputs)
        failure = run.error or _unknown(run)
        raise replace(failure, message=f"the child run {run.id} {_verb(run)}: {failure.message}").to_error()


def register_workflows(registry: ProtocolProviderRegistry) -> None:
    """Have `registry` serve `workflow/run`, unless it does already."""
    if registry.provider("workflow") is None:
        registry.register_protocol(WORKFLOW_PROTOCOL)
        registry.register_provider(WORKFLOW_PROTOCOL.id, WorkflowProvider(registry))


def _document(parameters: Mapping[str, Any]) -> str | Mapping[str, Any]:
    workflow, name = parameters.get("workflow"), parameters.get("name")
    if (workflow is None) == (name is None):
        raise ValidationError(f"{RUN_WORKFLOW} takes either `workflow` or `name`")
    if workflow is None:
        raise WorkflowNotFoundError(
            f'there is no saved workflow "{name}"',
            hint="saving is not in this version; give the document as `workflow`",
        )
    document: str | Mapping[str, Any] = workflow
    return document


def _unknown(run: Run) -> Failure:
    for task in run.tasks.values():
        if task.status == "unknown" and task.error is not None:
            return task.error
    return Failure("internal", "it gave no reason")


def _verb(run: Run) -> str:
    return {"failed": "failed", "cancelled": "was cancelled"}.get(run.status, "does not know how a task of it ended")
