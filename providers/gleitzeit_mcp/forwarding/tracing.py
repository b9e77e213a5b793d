"""The trace that a call belongs to, as `_meta` carries it: W3C `traceparent`."""

from __future__ import annotations

import hashlib

from gleitzeit.providers.base import TaskContext


def trace_of(task: TaskContext) -> dict[str, str]:
    """The trace context of a call made for `task`; nothing outside of a run.

    Whoever called Gleitzeit may have named a trace; else a run is a trace of its own, in all servers that it reaches.
    The call itself is a span: its id is the same for each attempt that may be told apart from others by nothing else.
    """
    if not task.run_id:
        return {}
    given = task.meta.get("traceparent", "").split("-")
    trace, flags = (given[1], given[3]) if len(given) == 4 else (_digest(task.run_id, 32), "01")
    span = _digest(f"{task.idempotency_key}/{task.attempt}", 16)
    state = task.meta.get("tracestate")
    return {"traceparent": f"00-{trace}-{span}-{flags}", **({"tracestate": state} if state else {})}


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:digits]
