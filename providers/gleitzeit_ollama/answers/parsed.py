"""The data that an answer's text is, where its `format` asks for data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import path_text
from gleitzeit.core.errors import ProviderError
from gleitzeit.core.schema import Misfit, misfits
from gleitzeit_ollama.wire.foreign_json import json_value

_SHOWN_TEXT = 500


@dataclass(frozen=True, slots=True)
class Parsed:
    """The `value` that a text is, or the `problem` for which it is none."""

    value: Any = None
    problem: str | None = None


def parsed(text: str, answer_format: str | Mapping[str, Any]) -> Parsed:
    """What a text is as JSON that fits `answer_format`: "json", or a JSON Schema."""
    try:
        value = json_value(text)
    except ValueError as error:
        return Parsed(problem=f"it is not JSON: {error}")
    found = misfits(answer_format, value, whole=True) if isinstance(answer_format, Mapping) else []
    return Parsed(problem=f"it does not fit format: {'; '.join(map(_said, found))}") if found else Parsed(value)


def _said(misfit: Misfit) -> str:
    return f"{path_text(misfit.path)}: {misfit.message}" if misfit.path else misfit.message


def unusable(text: str, problem: str, *, cut_off: bool, repaired: bool) -> ProviderError:
    """The error for an answer that is not what `format` asks for, asked for once more where it was `repaired`."""
    why = ", for it was cut off" if cut_off else ", and was not when it was asked for again" if repaired else ""
    hint = "describe in a message what JSON the answer must be, field by field, or take a larger model"
    return ProviderError(
        f"the model's answer is not what format asks for{why}: {problem}",
        hint="raise max_tokens" if cut_off else hint,
        details={"response": text[:_SHOWN_TEXT]},
    )
