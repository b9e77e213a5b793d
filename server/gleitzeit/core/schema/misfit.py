"""Places where a value does not fit its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from gleitzeit.core.data import PathKey

TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
"""The types of JSON Schema, in plain words."""

Kind = Literal["unknown", "missing", "value"]


@dataclass(frozen=True, slots=True)
class Misfit:
    """One place where a value does not fit; `kind` tells a wrong name from a wrong value."""

    path: tuple[PathKey, ...]
    message: str
    kind: Kind = "value"
    hint: str | None = None
    keyword: str = field(default="", compare=False)
