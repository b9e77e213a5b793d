"""`workflow/run`: a workflow as a task of another one."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from gleitzeit.application.checking import Source, carried_out, check_source
from gleitzeit.application.saved_workflows import SavedWorkflows
from gleitzeit.core.errors import MethodNotFoundError, ValidationError, WorkflowNotFoundError
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Failure, Run
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, TaskContext, current_task
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.base import Store

WORKFLOW_PROVIDER = "workflow"

WORKFLOW_PROTOCOL = Protocol(
    "workflow/v1",
    name="Workflows",
    description="Run a workflow inside of a task.",
    methods=[
        MethodSpec(
            name=RUN_WORKFLOW,
            description="Run a workflow, given inline or by the name it is saved under, and return its outputs.",
            parameters={
                "type": "object",
                "properties": {
                    "workflow": {"type": ["object", "string"], "description": "The document, as an object or as YAML"},
                    "name": {"type": "string", "description": "The name of a saved workflow"},
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

    def __init__(self, registry: ProtocolProviderRegistry, provider_id: str = WORKFLOW_PROVIDER) -> None:
        super().__init__(provider_id, WORKFLOW_PROTOCOL.id, name="Workflows", description=WORKFLOW_PROTOCOL.description)
        self.protocol = WORKFLOW_PROTOCOL
        self._registry = registry
        self._kept: list[tuple[Store, SavedWorkflows]] = []

    @contextmanager
    def serving(self, store: Store, saved: SavedWorkflows) -> Generator[None]:
        """Meanwhile, find the `saved` workflows for the runs in `store`."""
        kept = (store, saved)
        self._kept.append(kept)
        try:
            yield
        finally:
            self._kept.remove(kept)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """The outputs of the child run. Raises its first failed task's error, in the words of that task.

        Raises `DocumentError` and `ValidationError` for a workflow or inputs that do not fit.
        """
        if method != RUN_WORKFLOW:
            raise MethodNotFoundError(f'there is no method "{method}"', hint=f'did you mean "{RUN_WORKFLOW}"?')
        task = current_task()
        workflow = (await check_source(self._registry, await self._document(parameters, task))).require()
        given = parameters.get("inputs", {})
        bound = await carried_out(given, partial(bind_inputs, workflow, given))
        run = await task.support.start_workflow(workflow, bound)
        task.record(child_run=run.id)
        if run.status == "completed":
            return dict(run.outputs)
        failure = run.error or _unknown(run)
        raise replace(failure, message=f"the child run {run.id} {_verb(run)}: {failure.message}").to_error()

    async def _document(self, parameters: Mapping[str, Any], task: TaskContext) -> Source:
        workflow, name = parameters.get("workflow"), parameters.get("name")
        if (workflow is None) == (name is None):
            raise ValidationError(f"{RUN_WORKFLOW} takes either `workflow` or `name`")
        if workflow is not None:
            document: str | Mapping[str, Any] = workflow
            return document
        return (await (await self._saved_for(task.run_id)).get(str(name), caller=task.caller)).workflow

    async def _saved_for(self, run_id: str) -> SavedWorkflows:
        """The workflows that a run can name: programs may open several applications on one registry."""
        for store, saved in self._kept:
            if len(self._kept) == 1 or await store.load(run_id) is not None:
                return saved
        raise WorkflowNotFoundError("no workflow is saved outside of a run", hint="give the document as `workflow`")


def register_workflows(registry: ProtocolProviderRegistry) -> WorkflowProvider:
    """Have `registry` serve `workflow/run`, unless it does already; by what it does so."""
    present = registry.provider(WORKFLOW_PROVIDER)
    if isinstance(present, WorkflowProvider):
        return present
    provider = WorkflowProvider(registry)
    registry.register_protocol(WORKFLOW_PROTOCOL)
    registry.register_provider(WORKFLOW_PROTOCOL.id, provider)
    return provider


def _unknown(run: Run) -> Failure:
    for task in run.tasks.values():
        if task.status == "unknown" and task.error is not None:
            return task.error
    return Failure("internal", "it gave no reason")


def _verb(run: Run) -> str:
    return {"failed": "failed", "cancelled": "was cancelled"}.get(run.status, "does not know how a task of it ended")
