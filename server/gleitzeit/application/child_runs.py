"""`workflow/run` for every engine that uses a registry: a child belongs to the engine that runs its parent."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from gleitzeit.application.checking import check_source
from gleitzeit.core.errors import ConflictError, RunNotFoundError
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Run
from gleitzeit.engine.base import Submission
from gleitzeit.engine.builtin import WORKFLOW_PROTOCOL, WorkflowProvider
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry

_registered: WeakKeyDictionary[ProtocolProviderRegistry, ChildRuns] = WeakKeyDictionary()


class ChildRuns:
    """Starts a workflow for a task, on the engine that the task belongs to."""

    def __init__(self, registry: ProtocolProviderRegistry) -> None:
        self._registry = registry
        self._engines: list[LocalEngine] = []

    async def __call__(
        self, workflow: str | Mapping[str, Any], inputs: Mapping[str, Any], *, parent_id: str, parent_task: str
    ) -> Run:
        """The child's run once it is over. Raises `DocumentError` and `ValidationError`."""
        engine = await self._engine_of(parent_id)
        document = (await check_source(self._registry, workflow)).require()
        bound = bind_inputs(document, inputs)
        child = await engine.submit(Submission(document, bound, parent_id=parent_id, parent_task=parent_task))
        return await engine.join(child.id)

    @contextmanager
    def of(self, engine: LocalEngine) -> Generator[None]:
        """Have the tasks of `engine` start workflows for as long as the context lasts."""
        self._engines.append(engine)
        try:
            yield
        finally:
            self._engines.remove(engine)

    async def _engine_of(self, run_id: str) -> LocalEngine:
        for engine in self._engines:
            try:
                await engine.get(run_id)
            except RunNotFoundError:
                continue
            return engine
        raise ConflictError(f"the run {run_id} is over and starts no more children")


def child_runs(registry: ProtocolProviderRegistry) -> ChildRuns:
    """What carries out `workflow/run` for a registry; registered there when first asked for."""
    if registry not in _registered:
        _registered[registry] = ChildRuns(registry)
    if registry.provider("workflow") is None:
        registry.register_protocol(WORKFLOW_PROTOCOL)
        registry.register_provider(WORKFLOW_PROTOCOL.id, WorkflowProvider(_registered[registry]))
    return _registered[registry]
