"""The trace that a call belongs to, as providers pass it on: W3C `traceparent` and `tracestate`."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from typing import NamedTuple

from opentelemetry import context, trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gleitzeit.providers.base import TaskContext

_carrier = TraceContextTextMapPropagator()
_GOOD_FOR = 1.0
_NOBODY = frozenset[type]({trace.ProxyTracerProvider, trace.NoOpTracerProvider})


class _Seen(NamedTuple):
    """Whether anybody looked at spans, and when that was asked."""

    at: float
    somebody: bool


_seen = _Seen(-math.inf, False)


def traced() -> bool:
    """Whether anybody looks at spans; who has begun to is noticed within a second."""
    global _seen  # noqa: PLW0603 - each request asks twice, and OpenTelemetry looks into the environment each time
    now = time.monotonic()
    if not _seen.at <= now < _seen.at + _GOOD_FOR:
        # Asking for an instance takes ten times as long.
        _seen = _Seen(now, type(trace.get_tracer_provider()) not in _NOBODY)
    return _seen.somebody


def current_span() -> trace.Span:
    """The span around this, an invalid one where there is none."""
    # Where nothing is set, which is seen at once, nobody needs to look for what it is.
    return trace.get_current_span() if context.get_current() else trace.INVALID_SPAN


def trace_of(task: TaskContext) -> dict[str, str]:
    """The trace context of what is called for `task`, as headers or as `_meta`; nothing outside of a run.

    Where spans are recorded it is that of the span around the call. Elsewhere whoever called Gleitzeit may have named a
    trace; else a run is a trace of its own, in all servers that it reaches. The call is a span of it then: its id is
    the same for each attempt that may be told apart from others by nothing else.
    """
    if not task.run_id:
        return {}
    if current_span().is_recording():
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
    if "traceparent" in meta or not current_span().get_span_context().is_valid:
        return meta
    carried = dict(meta)
    _carrier.inject(carried)
    return carried


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
