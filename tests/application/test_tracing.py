"""A run belongs to the trace that a program is in as it starts it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider

from gleitzeit.application import Application
from gleitzeit.core.models import Run
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio

OTHER = f"00-{'1' * 32}-{'2' * 16}-01"


async def traced(application: Application, run: Run) -> str | None:
    """The trace that the task of a run was carried out in."""
    with anyio.fail_after(10):
        run = await application.engine.wait(run.id)
    (task,) = run.tasks.values()
    found: str | None = task.result["trace"]
    return found


async def test_a_run_belongs_to_the_span_that_is_current(application: Application) -> None:
    async def told(method: str, parameters: dict[str, Any]) -> Any:
        return {"trace": current_task().meta.get("traceparent")}

    provider: Any = application.registry.provider("text")
    provider.handle_request = told
    document = {"tasks": [{"id": "a", "method": "text/roots"}]}
    assert await traced(application, await application.call("text/roots")) is None
    with TracerProvider().get_tracer("tests").start_as_current_span("program") as span:
        runs = [await application.call("text/roots"), await application.submit(document)]
        named = await application.submit(document, meta={"traceparent": OTHER})
    for run in runs:
        trace = await traced(application, run)
        assert trace is not None
        assert trace.split("-")[2] == f"{span.get_span_context().span_id:016x}"
    assert await traced(application, named) == OTHER
