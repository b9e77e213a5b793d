"""What pydantic finds wrong with a section, in words that name the key, its place and the nearest known key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel
from pydantic import ValidationError as ModelError

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError


def misfits_of(
    error: ModelError, model: type[BaseModel], section: str, origins: Mapping[str, str]
) -> ConfigurationError:
    """One error with all that is wrong; the values are left out, for they may be secret."""
    problems = [_problem(item["type"], item["msg"], item["loc"], model, section, origins) for item in error.errors()]
    hints = [hint for _, hint in problems if hint]
    return ConfigurationError("\n".join(message for message, _ in problems), hint="; ".join(hints) or None)


def _problem(
    kind: str,
    message: str,
    place: Sequence[int | str],
    model: type[BaseModel],
    section: str,
    origins: Mapping[str, str],
) -> tuple[str, str | None]:
    key = _path(section, place)
    origin = origins.get(key)
    where = f"{key} ({origin})" if origin else key
    if kind != "extra_forbidden":
        return f"{where}: {message[0].lower()}{message[1:]}", None
    known = _known(model, place[:-1])
    guess = did_you_mean(str(place[-1]), known)
    listed = f"known keys of {_path(section, place[:-1])} are {', '.join(sorted(known))}" if known else None
    return f"{where}: unknown key", guess or listed


def _path(section: str, place: Sequence[int | str]) -> str:
    path = section
    for part in place:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _known(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    current: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, int) or current is None:
            continue
        field = current.model_fields.get(part)
        current = _model_in(field.annotation) if field is not None else current
    return [field.alias or name for name, field in current.model_fields.items()] if current is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)
