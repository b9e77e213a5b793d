"""Data of any kind as the text that a model reads."""

from __future__ import annotations

import json
from typing import Any

from gleitzeit.core.errors import ValidationError


def as_text(value: Any) -> str:
    """A text as it is, nothing as an empty one, anything else as compact JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def prompt_text(method: str, prompt: Any) -> str:
    """The prompt of one call as text. Raises `ValidationError` where there is none."""
    if prompt is None:
        raise ValidationError(f"{method}: prompt is null", hint="a reference to a task that was skipped is null")
    return as_text(prompt)
