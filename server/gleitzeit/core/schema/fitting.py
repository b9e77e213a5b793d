"""Whether values fit a JSON Schema, said in plain words; schemas are foreign data, so their cost is bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gleitzeit.core.data import is_mapping, path_text
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema.examples import example_hint
from gleitzeit.core.schema.misfit import Judge, Misfit

_KEPT_VALIDATORS = 1024
_TRIVIAL_KEYS = frozenset({"type", "title", "description", "$schema", "$id", "examples"})

_validators: OrderedDict[int, tuple[Mapping[str, Any], Judge]] = OrderedDict()


def is_trivial(schema: Mapping[str, Any]) -> bool:
    """Whether every mapping fits `schema`."""
    return not schema or (schema.get("type", "object") == "object" and _TRIVIAL_KEYS.issuperset(schema))


def misfits(schema: Mapping[str, Any], value: Any) -> list[Misfit]:
    """Every place where `value` does not fit `schema`, in the order of the document."""
    if is_trivial(schema) and is_mapping(value):
        return []
    return [_hinted(misfit, schema) for misfit in _validator(schema).misfits(value)]


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
    from gleitzeit.core.schema.validators import schema_misfits  # imports jsonschema, which start-up must not

    return [(path_text(misfit.path), misfit.message) for misfit in schema_misfits(schema)]


def _hinted(misfit: Misfit, schema: Mapping[str, Any]) -> Misfit:
    if misfit.hint is not None or misfit.kind == "unknown" or not misfit.path:
        return misfit
    return replace(misfit, hint=example_hint(schema, misfit.path))


def _sentence(misfit: Misfit) -> str:
    place = path_text(misfit.path)
    return f"{place}: {misfit.message}" if place else misfit.message


def _validator(schema: Mapping[str, Any]) -> Judge:
    kept = _validators.get(id(schema))
    if kept is not None and kept[0] is schema:
        _validators.move_to_end(id(schema))
        return kept[1]
    from gleitzeit.core.schema.validators import Validator  # imports jsonschema, which start-up must not

    validator = Validator(schema)
    _validators[id(schema)] = (schema, validator)
    if len(_validators) > _KEPT_VALIDATORS:
        _validators.popitem(last=False)
    return validator
