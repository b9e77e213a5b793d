"""A call to a downstream server is part of the trace of its run."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import anyio
import pytest
from opentelemetry.sdk.trace import TracerProvider
from tests.providers.mcp.servers.settings import raw

from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_mcp import MCPHubProvider

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]

pytestmark = pytest.mark.anyio

CALLER = {"traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "x=y"}


async def heard_by(hub: MCPHubProvider, task: TaskContext) -> dict[str, str]:
    """The trace that a server hears of in a call for a task."""
    leave = enter_task(task)
    try:
        with anyio.fail_after(10):
            answer = await hub.handle_request("mcp/tool.answering.heard", {})
    finally:
        leave()
    calls = [message for message in answer["messages"] if message.get("method") == "tools/call"]
    meta: dict[str, str] = calls[-1]["params"]["_meta"]
    return {key: value for key, value in meta.items() if key in CALLER}


async def test_a_call_goes_on_with_the_trace_of_the_request_that_led_to_it(open_hub: OpenHub) -> None:
    async with open_hub(raw("answering")) as hub:
        first = await heard_by(hub, TaskContext(run_id="r", task_id="a", idempotency_key="r/a", meta=CALLER))
        assert first["tracestate"] == "x=y"
        assert first["traceparent"].startswith(f"00-{'1' * 32}-")
        assert first["traceparent"].split("-")[2] != "2" * 16  # the call is a span of its own
        alone = [
            await heard_by(hub, TaskContext(run_id="r", task_id=name, idempotency_key=f"r/{name}")) for name in "bc"
        ]
        traces, spans = zip(*[told["traceparent"].split("-")[1:3] for told in alone], strict=True)
        assert len(set(traces)) == 1
        assert len(set(spans)) == 2
        assert await heard_by(hub, TaskContext()) == {}


async def test_where_spans_are_recorded_it_is_that_of_the_span_around_the_call(open_hub: OpenHub) -> None:
    tracer = TracerProvider().get_tracer("tests")
    async with open_hub(raw("answering")) as hub:
        with tracer.start_as_current_span("execute_tool") as span:
            heard = await heard_by(hub, TaskContext(run_id="r", task_id="a", meta=CALLER))
    context = span.get_span_context()
    assert heard.keys() == {"traceparent"}
    assert heard["traceparent"].startswith(f"00-{context.trace_id:032x}-{context.span_id:016x}-")
