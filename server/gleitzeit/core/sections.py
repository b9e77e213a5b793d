"""Sections of the configuration read by their models; what does not fit is told by key, place and nearest known key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel
from pydantic import ValidationError as ModelError

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseModel)

_NO_ORIGINS: Mapping[str, str] = {}
_KINDS = frozenset({"str", "int", "float", "bool", "tuple[str, ...]"})
_LIST = "must be a list"
_OBJECT = "must be a mapping of keys"
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": _LIST,
    "list_type": _LIST,
    "dict_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
}
"""What pydantic finds, by its own names, in the words of a configuration."""


def read_section(
    model: type[Model], section: Mapping[str, Any] | BaseModel, key: str, origins: Mapping[str, str] = _NO_ORIGINS
) -> Model:
    """The section as its model, which it may be already; `origins` says where each key was written.

    Raises one `ConfigurationError` with all that is wrong; the values are left out, for they may be secret.
    """
    try:
        return model.model_validate(section)
    except ModelError as error:
        items = error.errors(include_url=False, include_input=False, include_context=False)
        problems = _joined([_problem(item["type"], item["msg"], item["loc"], model, key, origins) for item in items])
    hints = [hint for _, hint in problems if hint]
    raise ConfigurationError("\n".join(message for message, _ in problems), hint="; ".join(hints) or None)


def _joined(problems: Sequence[tuple[str, str, str | None]]) -> list[tuple[str, str | None]]:
    """One line a place: where it may be one of several kinds, each kind has a problem of its own."""
    words: dict[str, list[str]] = {}
    hints: dict[str, str | None] = {}
    for where, what, hint in problems:
        words.setdefault(where, []).append(what)
        hints[where] = hints.get(where) or hint
    return [
        (f"{where}: {' or '.join([first, *(what.removeprefix('must be ') for what in rest)])}", hints[where])
        for where, (first, *rest) in words.items()
    ]


def _problem(
    kind: str,
    message: str,
    place: Sequence[int | str],
    model: type[BaseModel],
    section: str,
    origins: Mapping[str, str],
) -> tuple[str, str, str | None]:
    if place and place[-1] in _KINDS:  # which of several kinds was tried, no part of the place
        place = place[:-1]
    key = _path(section, place)
    origin = _origin(section, place, origins)
    where = f"{key} ({origin})" if origin else key
    if kind != "extra_forbidden":
        return where, _WORDS.get(kind) or _plain(message), None
    known = _known(model, place[:-1])
    guess = did_you_mean(str(place[-1]), known)
    listed = f"known keys of {_path(section, place[:-1])} are {', '.join(sorted(known))}" if known else None
    return where, "unknown key", guess or listed


def _plain(message: str) -> str:
    words = message.removeprefix("Value error, ").replace("Input should", "must", 1)
    words = words.replace("greater than or equal to", "at least").replace("less than or equal to", "at most")
    return words[:1].lower() + words[1:]


def _origin(section: str, place: Sequence[int | str], origins: Mapping[str, str]) -> str | None:
    """Where the value is written, or else what it is missing from."""
    places = (_path(section, place[:length]) for length in range(len(place), 0, -1))
    return next((origins[path] for path in places if path in origins), origins.get(section))


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
