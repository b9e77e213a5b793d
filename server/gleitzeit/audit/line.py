"""An entry as a line of JSON: no values of parameters, and no character that could end the line or be mistaken."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import UTC, datetime
from typing import Any

from gleitzeit.audit.base import Entry
from gleitzeit.core.digest import fingerprint

_LONGEST_NAME = 300


def line_of(entry: Entry) -> bytes:
    """The line, with its end. All but ASCII is escaped, control characters and marks of direction among it."""
    told: dict[str, Any] = {"time": datetime.fromtimestamp(entry.at, UTC).isoformat(timespec="microseconds")}
    for name in _NAMES:
        value = getattr(entry, name)
        if value is not None and value is not False:
            told[name] = value[:_LONGEST_NAME] if isinstance(value, str) else value
    if entry.parameters is not None:
        told["parameters_sha256"] = fingerprint(entry.parameters)
    if entry.seconds is not None:
        told["seconds"] = round(entry.seconds, 6)
    told["process"] = os.getpid()
    return _encode(told).encode() + b"\n"


_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_NAMES = tuple(item.name for item in dataclasses.fields(Entry) if item.name not in ("at", "parameters", "seconds"))
