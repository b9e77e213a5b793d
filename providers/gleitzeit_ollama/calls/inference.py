"""A request to a model as a span, by OpenTelemetry's conventions for generative models: no text stands in it."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import trace

from gleitzeit.core.errors import GleitzeitError

_tracer = trace.get_tracer("gleitzeit_ollama")

_OPERATIONS: Mapping[str, str] = {"/api/chat": "chat", "/api/generate": "text_completion", "/api/embed": "embeddings"}


@contextmanager
def inference(path: str, model: str) -> Generator[trace.Span]:
    """The span around one request; costs next to nothing where nobody has set an SDK up."""
    operation = _OPERATIONS.get(path, "generate_content")
    facts = {"gen_ai.operation.name": operation, "gen_ai.provider.name": "ollama", "gen_ai.request.model": model}
    with _tracer.start_as_current_span(
        f"{operation} {model}",
        kind=trace.SpanKind.CLIENT,
        attributes=facts,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except GleitzeitError as error:
            span.set_attribute("error.type", error.code)
            span.set_status(trace.StatusCode.ERROR, error.code)
            raise


def note_usage(span: trace.Span, usage: Mapping[str, int]) -> None:
    """Note how many tokens a request took and gave."""
    names = {"prompt_tokens": "gen_ai.usage.input_tokens", "completion_tokens": "gen_ai.usage.output_tokens"}
    span.set_attributes({names[name]: count for name, count in usage.items() if name in names})
