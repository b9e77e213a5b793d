"""A trace goes from the host's request through the run to the method, where the process has an SDK set up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

import mcp_types as types
import pytest
from mcp import Client
from mcp.shared import _otel
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from gleitzeit.application import Application
from gleitzeit.engine.local import tracing
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.tools.origin import origin_of
from gleitzeit.providers import tracing as looks

Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

CALLER = "00-11111111111111111111111111111111-2222222222222222-01"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """What is told to an SDK that has been set up before Gleitzeit was started."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    monkeypatch.setattr(looks, "_GOOD_FOR", 0.0)
    monkeypatch.setattr(looks, "_seen", vars(looks)["_seen"])  # so that what is seen now is forgotten after
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("gleitzeit"))
    monkeypatch.setattr(_otel, "_tracer", provider.get_tracer("mcp"))
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_of_a_host_is_one_trace(factory: Factory, exporter: InMemorySpanExporter, mode: Any) -> None:
    meta = cast("types.RequestParamsMeta", {"traceparent": CALLER})
    arguments: dict[str, Any] = {"method": "probe/echo", "parameters": {"text": "a"}}
    async with open_face(factory) as face, Client(build_server(face), mode=mode) as client:
        answer = await client.call_tool("call_method", arguments, meta=meta)
        assert not answer.is_error
    spans = {span.context.span_id: span for span in exporter.get_finished_spans() if span.context is not None}
    (method,) = [span for span in spans.values() if span.name == "execute_tool probe/echo"]
    assert names_above(method, spans)[:4] == [
        "execute_tool probe/echo",
        "task call",
        "invoke_workflow probe/echo",
        "tools/call call_method",
    ]


def names_above(span: ReadableSpan, spans: dict[int, ReadableSpan]) -> list[str]:
    above = None if span.parent is None else spans.get(span.parent.span_id)
    return [span.name, *([] if above is None else names_above(above, spans))]


async def test_without_an_sdk_a_request_belongs_to_the_trace_that_it_names() -> None:
    assert origin_of({"_meta": {"traceparent": CALLER, "tracestate": "a=b"}}) == {
        "traceparent": CALLER,
        "tracestate": "a=b",
    }
    assert origin_of({"_meta": {"traceparent": "00-nonsense", "tracestate": "a=b"}}) == {}
    assert origin_of({}) == origin_of(None) == {}
