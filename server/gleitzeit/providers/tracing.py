"""The trace that a call belongs to, as providers pass it on: W3C `traceparent` and `tracestate`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gleitzeit.providers.base import TaskContext

_carrier = TraceContextTextMapPropagator()
_NOBODY = frozenset[type]({trace.ProxyTracerProvider, trace.NoOpTracerProvider})


def traced() -> bool:
    """Whether anybody looks at spans."""
    return type(trace.get_tracer_provider()) not in _NOBODY  # asking for an instance takes ten times as long


def trace_of(task: TaskContext) -> dict[str, str]:
    """The trace context of what is called for `task`, as headers or as `_meta`; nothing outside of a run.

    Where spans are recorded it is that of the span around the call. Elsewhere whoever called Gleitzeit may have named a
    trace; else a run is a trace of its own, in all servers that it reaches. The call is a span of it then: its id is
    the same for each attempt that may be told apart from others by nothing else.
    """
    if not task.run_id:
        return {}
    if trace.get_current_span().is_recording():
        carried: dict[str, str] = {}
        _carrier.inject(carried)
        return carried
    given = task.meta.get("traceparent", "").split("-")
    trace_id, flags = (given[1], given[3]) if len(given) == 4 else (_digest(task.run_id, 32), "01")
    span = _digest(f"{task.idempotency_key}/{task.attempt}", 16)
    state = task.meta.get("tracestate")
    return {"traceparent": f"00-{trace_id}-{span}-{flags}", **({"tracestate": state} if state else {})}


def in_current_trace(meta: Mapping[str, str]) -> Mapping[str, str]:
    """What came with a request, in the trace that whoever makes it is in, where it names none itself."""
    if "traceparent" in meta or not trace.get_current_span().get_span_context().is_valid:
        return meta
    carried = dict(meta)
    _carrier.inject(carried)
    return carried


def _digest(text: str, digits: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=digits // 2, usedforsecurity=False).hexdigest()
