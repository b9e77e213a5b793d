"""What of a request's `_meta` belongs to whatever follows from it: its trace, and the way that it has come by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gleitzeit.core.data import is_mapping
from gleitzeit.core.nesting import PATH_KEY
from gleitzeit.providers.tracing import current_span

_TRACE = ("traceparent", "tracestate")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST = 1024
_carrier = TraceContextTextMapPropagator()


def origin_of(params: Mapping[str, Any] | None) -> Mapping[str, str]:
    """The trace, if it is one (W3C Trace Context, 3.2.2), and the path of Gleitzeits, for whom the run calls to see.

    Where spans are recorded, the request has one of its own by the SDK, in the trace that was given.
    """
    meta = (params or {}).get("_meta")
    traced = current_span().get_span_context().is_valid
    if meta is None and not traced:
        return {}
    given = {key: meta.get(key) for key in (*_TRACE, PATH_KEY)} if is_mapping(meta) else {}
    found = {key: value for key, value in given.items() if isinstance(value, str) and len(value) <= _LONGEST}
    if traced or not _TRACEPARENT.fullmatch(found.get("traceparent", "")):
        found = {key: value for key, value in found.items() if key not in _TRACE}
    if traced:
        _carrier.inject(found)
    return found


def has_person(params: Mapping[str, Any] | None) -> bool:
    """Whether the client asks a person: another Gleitzeit passes a question on, and a model may answer it there."""
    meta = (params or {}).get("_meta")
    return not (is_mapping(meta) and PATH_KEY in meta)  # whatever it says: one that is too long has come far
