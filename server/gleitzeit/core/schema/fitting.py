"""Whether values fit a JSON Schema, said in plain words; schemas are foreign data, so their cost is bounded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from gleitzeit.core.data import is_mapping, path_text
from gleitzeit.core.diagnostics import nearest
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema.acceptance import LastingSchema
from gleitzeit.core.schema.budget import Budget, TooMuchToCheck
from gleitzeit.core.schema.examples import example_hint
from gleitzeit.core.schema.misfit import Misfit
from gleitzeit.core.schema.soundness import schema_misfits
from gleitzeit.core.schema.validators import Application

_TRIVIAL_KEYS = frozenset({"type", "title", "description", "$schema", "$id", "examples"})
_MOST = 50
_TOO_MUCH = Misfit((), "is too much to check against its schema", hint="pass less, or declare it more simply")


def is_trivial(schema: Mapping[str, Any]) -> bool:
    """Whether every mapping fits `schema`."""
    return not schema or (schema.get("type", "object") == "object" and _TRIVIAL_KEYS.issuperset(schema))


def misfits(schema: Mapping[str, Any], value: Any, *, whole: bool = False) -> list[Misfit]:
    """Where `value` does not fit `schema`, at most the first 50 places.

    A schema that cannot be used finds nothing, and one that is too much to check nothing more: what they ask for is
    left to whoever declared them. Where nobody else will check (`whole`), the work may grow with the value, and
    being too much is a misfit too.
    """
    if (isinstance(schema, LastingSchema) and schema.accepts(value)) or (is_trivial(schema) and is_mapping(value)):
        return []
    found: list[Misfit] = []
    try:
        budget = Budget.for_value(value) if whole else Budget()
        misfits_in_order = Application(schema, budget).misfits(schema, value, ())
        found.extend(_hinted(misfit, schema, value) for misfit in islice(misfits_in_order, _MOST))
    except (TooMuchToCheck, RecursionError):
        found.extend([_TOO_MUCH] if whole and not found else [])
    except Exception:  # noqa: BLE001 - a foreign schema that breaks those who read it is unusable: it refuses nothing
        return []
    return list(dict.fromkeys(found))


def schema_problems(schema: Mapping[str, Any], value: Any) -> list[tuple[str, str]]:
    """Every place where `value` does not fit `schema`, as path and message."""
    return [(path_text(misfit.path), misfit.message) for misfit in misfits(schema, value)]


def check_parameters(subject: str, schema: Mapping[str, Any], parameters: Mapping[str, Any]) -> None:
    """Raise `ValidationError` naming everything in `parameters` that does not fit `schema`."""
    found = misfits(schema, parameters)
    if found:
        raise refusal(subject, found)


def refusal(subject: str, found: Sequence[Misfit]) -> ValidationError:
    """The error that names all misfits of `subject`."""
    hints = [misfit.hint for misfit in found if misfit.hint]
    return ValidationError(
        f"{subject}: " + "; ".join(_sentence(misfit) for misfit in found),
        hint="; ".join(dict.fromkeys(hints)) or None,
        details={"problems": [{"path": path_text(misfit.path), "message": misfit.message} for misfit in found]},
    )


def check_schema(schema: Any) -> list[tuple[str, str]]:
    """What keeps `schema` from being a JSON Schema, as path and message; nothing where it is one."""
    return [(path_text(misfit.path), misfit.message) for misfit in schema_misfits(schema)]


def _hinted(misfit: Misfit, schema: Mapping[str, Any], value: Any) -> Misfit:
    if misfit.hint is not None or misfit.kind == "unknown" or not misfit.path:
        return misfit
    misspelt = _misspelt(misfit, schema, value) if misfit.kind == "missing" else None
    return replace(misfit, hint=misspelt or example_hint(schema, misfit.path))


def _misspelt(misfit: Misfit, schema: Mapping[str, Any], value: Any) -> str | None:
    """What is written where a field at the top is missing, and was most likely meant for it."""
    declared = schema.get("properties")
    told = schema.get("additionalProperties") is False  # of the name that is written, which is unknown then
    if told or len(misfit.path) != 1 or not (is_mapping(value) and is_mapping(declared)):
        return None
    written = nearest(str(misfit.path[0]), (name for name in value if name not in declared))
    return None if written is None else f'"{written}" is written: did you mean "{misfit.path[0]}"?'


def _sentence(misfit: Misfit) -> str:
    place = path_text(misfit.path)
    return f"{place}: {misfit.message}" if place else misfit.message
