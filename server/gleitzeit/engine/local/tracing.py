"""Spans of runs, tasks and methods: they cost nothing where nobody has set an OpenTelemetry SDK up in this process.

No parameter and no result stands in them.
"""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gleitzeit.providers.tracing import traced
from gleitzeit.version import __version__

Span = trace.Span

_tracer = trace.get_tracer("gleitzeit", __version__)
_carrier = TraceContextTextMapPropagator()


def begin_span(name: str, meta: Mapping[str, str], attributes: Mapping[str, str | int]) -> Span:
    """A span under the one that `meta` names by its `traceparent`."""
    return _tracer.start_span(name, context=_carrier.extract(meta, context=_ROOT), attributes=dict(attributes))


def begin_run_span(name: str, run_id: str, meta: Mapping[str, str]) -> Span | None:
    """The span of a run; none where nobody looks."""
    if not traced():
        return None
    facts = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.agent.name": name, "gleitzeit.run.id": run_id}
    return begin_span(f"invoke_workflow {name}", meta, facts)


def beneath(span: Span | None, meta: Mapping[str, str]) -> Mapping[str, str]:
    """What `meta` is for whatever is done beneath a span."""
    if span is None:
        return meta
    carried = {key: value for key, value in meta.items() if key != "tracestate"}
    _carrier.inject(carried, context=trace.set_span_in_context(span, _ROOT))
    return carried


def end_span(span: Span | None, error: str | None = None, status: str | None = None) -> None:
    """End a span, as failed where there is the code of an error; `status` is that of a run which it stands for."""
    if span is None:
        return
    if status is not None:
        span.set_attribute("gleitzeit.run.status", status)
    if error is not None:
        span.set_attribute("error.type", error)
        span.set_status(trace.StatusCode.ERROR, error)
    span.end()


_ROOT = trace.set_span_in_context(trace.INVALID_SPAN)
"""No span: what is current in the task that happens to begin one has nothing to do with it."""
