"""`format`: what an answer has to be read as, and what is said to a model whose answer cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_mapping
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema import check_schema

FORMAT_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "object"],
    "description": '"json", or the JSON Schema that the answer has to fit; its value then stands under `parsed`.',
}

_LONGEST = 8_000


def check_format(method: str, answer_format: Any) -> None:
    """Raise `ValidationError` for a `format` that is neither "json" nor a JSON Schema."""
    if isinstance(answer_format, str) and answer_format != "json":
        raise ValidationError(
            f'{method}: format: "{answer_format}" is neither "json" nor a JSON Schema',
            hint='"json" asks for any JSON; a schema such as {type: object, properties: {...}} says which',
        )
    if is_mapping(answer_format):
        problems = [f"{path}: {message}" if path else message for path, message in check_schema(answer_format)]
        if problems:
            raise ValidationError(f"{method}: format is not a JSON Schema: {'; '.join(problems)}")


def correction(answer_format: str | Mapping[str, Any], problem: str) -> str:
    """What is said to a model whose answer is not what `answer_format` asks for."""
    schema = "" if isinstance(answer_format, str) else json.dumps(answer_format, ensure_ascii=False)
    asked = f" that fits this JSON Schema: {schema}" if 0 < len(schema) <= _LONGEST else ""
    return f"That answer cannot be used: {problem}. Answer again, with nothing but JSON{asked}"
