"""Requests to models are spans, where somebody has set an SDK up; no text stands in them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_ollama.calls import inference

pytestmark = pytest.mark.anyio

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Start = Callable[..., Awaitable[Call]]


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(inference, "_tracer", provider.get_tracer("gleitzeit_ollama"))
    yield exporter
    provider.shutdown()


@pytest.mark.parametrize(
    ("method", "parameters", "operation"),
    [
        ("llm/chat", {}, "chat"),
        ("llm/generate", {"prompt": "hunter2"}, "text_completion"),
        ("llm/embeddings", {"text": "hunter2"}, "embeddings"),
    ],
)
async def test_a_request_tells_its_model_and_its_tokens(
    start: Start, exporter: InMemorySpanExporter, method: str, parameters: dict[str, Any], operation: str
) -> None:
    async with FakeOllama("tiny") as node:
        call = await start(node.url)
        result = await call(method, **{"model": "tiny", **parameters})
    (span,) = exporter.get_finished_spans()
    told = dict(span.attributes or {})
    assert (span.name, span.kind) == (f"{operation} tiny", trace.SpanKind.CLIENT)
    assert told["gen_ai.operation.name"] == operation
    assert (told["gen_ai.provider.name"], told["gen_ai.request.model"]) == ("ollama", "tiny")
    assert told["gen_ai.usage.input_tokens"] == result["usage"]["prompt_tokens"]
    assert "hunter2" not in span.to_json()


async def test_a_request_that_fails_says_so_by_its_code(start: Start, exporter: InMemorySpanExporter) -> None:
    async with FakeOllama("other") as node:
        call = await start(node.url)
        with pytest.raises(GleitzeitError) as caught:
            await call(model="tiny")
    (span,) = exporter.get_finished_spans()
    assert span.status.status_code is trace.StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == caught.value.code
