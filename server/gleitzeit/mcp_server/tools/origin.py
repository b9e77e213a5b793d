"""What of a request's `_meta` belongs to whatever follows from it: its trace, and the way that it has come by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_mapping
from gleitzeit.core.nesting import PATH_KEY

_TRACE = ("traceparent", "tracestate")
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_LONGEST = 1024


def origin_of(params: Mapping[str, Any] | None) -> Mapping[str, str]:
    """The trace, if it is one (W3C Trace Context, 3.2.2), and the path of Gleitzeits, for whom the run calls to see."""
    meta = (params or {}).get("_meta")
    if not is_mapping(meta):
        return {}
    given = {key: meta.get(key) for key in (*_TRACE, PATH_KEY)}
    found = {key: value for key, value in given.items() if isinstance(value, str) and len(value) <= _LONGEST}
    if not _TRACEPARENT.fullmatch(found.get("traceparent", "")):
        return {key: value for key, value in found.items() if key not in _TRACE}
    return found
