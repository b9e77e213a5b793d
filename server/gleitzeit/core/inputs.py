"""Declared inputs: defaults, types, and text from a command line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.models import Workflow
from gleitzeit.core.schema import TYPES, Misfit, example_of, misfits, refusal

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def bind_inputs(workflow: Workflow, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every declared input with its given value or its default, null where it is optional and not given.

    Raises `ValidationError` naming all that are unknown, missing or of the wrong type.
    """
    found = input_misfits(workflow, given)
    if found:
        raise refusal(f'inputs of "{workflow.name}"', found)
    return {name: given.get(name, schema.get("default")) for name, schema in workflow.inputs.items()}


def input_misfits(workflow: Workflow, given: Mapping[str, Any]) -> list[Misfit]:
    """The inputs that are unknown, missing or of the wrong type."""
    found = [_unknown(name, workflow.inputs) for name in given if name not in workflow.inputs]
    for name, schema in workflow.inputs.items():
        if name in given:
            found.extend(_wrong(name, schema, given[name]))
        elif _is_required(schema):
            found.append(Misfit((name,), "is missing", "missing", _missing_hint(name, schema)))
    return found


def schema_of_inputs(workflow: Workflow) -> dict[str, Any]:
    """The JSON Schema of an object of inputs that a workflow takes."""
    required = [name for name, schema in workflow.inputs.items() if _is_required(schema)]
    properties = {name: _without_required(schema) for name, schema in workflow.inputs.items()}
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**whole, "required": required} if required else whole


def _is_required(schema: Mapping[str, Any]) -> bool:
    """Whether an input has to be given: it has no default, and does not say that it is optional or may be null."""
    types = schema.get("type")
    nullable = types == "null" or (is_list(types) and "null" in types)
    return "default" not in schema and schema.get("required") is not False and not nullable


def _without_required(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema without `required: true`, which people write of an input and JSON Schema has not."""
    return {key: value for key, value in schema.items() if key != "required" or not isinstance(value, bool)}


def coerce_text(schema: Mapping[str, Any], text: str) -> Any:
    """Text from a command line as the type that is declared; raises `ValidationError` where it is none.

    Text stays text where that is allowed; without a declared type, what reads as JSON is JSON.
    """
    declared = schema.get("type")
    types = [str(kind) for kind in declared] if is_list(declared) else [declared] if isinstance(declared, str) else []
    for kind in types:
        found, value = _read(kind, text)
        if found:
            return value
    if types:
        wanted = " or ".join(TYPES.get(kind, kind) for kind in types)
        raise ValidationError(f'must be {wanted}, not "{text[:60]}"', hint=_written(schema))
    found, value = _read_json(text)
    return value if found else text


def _read(kind: str, text: str) -> tuple[bool, Any]:
    match kind:
        case "string":
            return True, text
        case "boolean":
            word = text.strip().lower()
            return word in _TRUE | _FALSE, word in _TRUE
        case _:
            found, value = _read_json(text)
            return found and not misfits({"type": kind}, value), value


def _read_json(text: str) -> tuple[bool, Any]:
    try:
        return True, json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False, None


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _wrong(name: str, schema: Mapping[str, Any], value: Any) -> list[Misfit]:
    return [
        Misfit(
            (name, *misfit.path),
            misfit.message,
            misfit.kind,
            misfit.hint or (None if misfit.path else _written(schema)),
        )
        for misfit in misfits(_without_required(schema), value, whole=True)
    ]


def _written(schema: Mapping[str, Any]) -> str | None:
    example = example_of(schema)
    return f"such as {example}" if example is not None else None


def _unknown(name: str, declared: Mapping[str, Any]) -> Misfit:
    known = ", ".join(declared) or "none"
    return Misfit((name,), f"there is no such input; declared are: {known}", "unknown", did_you_mean(name, declared))


def _missing_hint(name: str, schema: Mapping[str, Any]) -> str:
    example = example_of(schema) or "..."
    description = f" ({schema['description']})" if schema.get("description") else ""
    return f"give it as in inputs: {{{name}: {example}}}, on a command line as -i {name}={example}{description}"
