"""A process that leaves while runs are just being taken up, or tasks are about to begin."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio

RUNS = 30
LAST = Submission(Workflow.model_validate({"tasks": [{"id": "a", "method": "test/last"}]}))


async def test_what_has_not_begun_when_a_process_leaves_is_not_in_doubt(world: Any) -> None:
    """However far it has come, from being taken up to being handed over to be carried out."""
    begun: list[str] = []
    execute = world.registry.execute

    async def noted(method: str, parameters: dict[str, Any]) -> Any:
        begun.append(current_task().run_id)
        return await execute(method, parameters)

    async def last(_: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    world.registry.execute = noted
    world.method(last, idempotent=False)
    async with world.process(carries=False) as nobody:
        runs = [(await nobody.record(LAST)).id for _ in range(RUNS)]
    for moment in range(20):
        async with world.process():
            await anyio.sleep(0.001 * moment)
        async with world.process(carries=False) as nobody:
            tasks = {run_id: (await nobody.get(run_id)).tasks["a"] for run_id in runs}
        assert {run_id for run_id, task in tasks.items() if task.status == "unknown"} <= set(begun)
        assert all(task.metadata.get("parked") for task in tasks.values() if task.status == "running")
