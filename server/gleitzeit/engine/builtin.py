"""`workflow/run`: a workflow as a task of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Protocol as Interface

from gleitzeit.core.errors import MethodNotFoundError, UnsupportedError, ValidationError, WorkflowNotFoundError
from gleitzeit.core.models import Failure, Run
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.engine.local.failures import error_of
from gleitzeit.engine.local.results import copied
from gleitzeit.providers.base import ProtocolProvider, current_task

WORKFLOW_PROTOCOL = Protocol(
    "workflow/v1",
    name="Workflows",
    description="Run a workflow inside of a task.",
    methods=[
        MethodSpec(
            name="workflow/run",
            description="Run a workflow and return its outputs. Give it inline, or by the name it is saved under.",
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


class StartChild(Interface):
    """Checks a workflow, submits it as a child of a task, and returns its run once that is over.

    Raises `DocumentError` and `ValidationError`. Cancelling it cancels the run.
    """

    async def __call__(
        self, workflow: str | Mapping[str, Any], inputs: Mapping[str, Any], *, parent_id: str, parent_task: str
    ) -> Run:
        """Run `workflow` with `inputs` for the task `parent_task` of the run `parent_id`."""
        ...


class WorkflowProvider(ProtocolProvider):
    """Runs workflows as child runs; the engine limits how deep they may start each other."""

    def __init__(self, start: StartChild, provider_id: str = "workflow") -> None:
        super().__init__(provider_id, WORKFLOW_PROTOCOL.id, name="Workflows", description=WORKFLOW_PROTOCOL.description)
        self.protocol = WORKFLOW_PROTOCOL
        self._start = start

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """The outputs of the child run. Raises its first failed task's error, in the words of that task."""
        if method != "workflow/run":
            raise MethodNotFoundError(f'there is no method "{method}"', hint='did you mean "workflow/run"?')
        task = current_task()
        if not task.run_id:
            raise UnsupportedError("workflow/run was called outside of a run")
        inputs: dict[str, Any] = parameters.get("inputs", {})
        run = await self._start(_document(parameters), inputs, parent_id=task.run_id, parent_task=task.task_id)
        task.record(child_run=run.id)
        return _outputs(run)


def _document(parameters: Mapping[str, Any]) -> str | Mapping[str, Any]:
    workflow, name = parameters.get("workflow"), parameters.get("name")
    if (workflow is None) == (name is None):
        raise ValidationError("workflow/run takes either `workflow` or `name`")
    if workflow is None:
        raise WorkflowNotFoundError(
            f'there is no saved workflow "{name}"',
            hint="saving is not in this version; give the document as `workflow`",
        )
    document: str | Mapping[str, Any] = workflow
    return document


def _outputs(run: Run) -> dict[str, Any]:
    if run.status == "completed":
        return dict(copied(dict(run.outputs)))
    failure = run.error or _unknown(run)
    raise error_of(
        Failure(
            failure.code,
            f"the child run {run.id} {_verb(run)}: {failure.message}",
            failure.hint,
            failure.retryable,
            failure.ambiguous,
            failure.details,
        )
    )


def _unknown(run: Run) -> Failure:
    for task in run.tasks.values():
        if task.status == "unknown" and task.error is not None:
            return task.error
    return Failure("internal", "it gave no reason")


def _verb(run: Run) -> str:
    return {"failed": "failed", "cancelled": "was cancelled"}.get(run.status, "does not know how a task of it ended")
