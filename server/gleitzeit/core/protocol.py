"""What a protocol promises: its methods, and what each takes and returns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gleitzeit.core.errors import ConfigurationError

JSONSchema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MethodSpec:
    """One method: its parameters and result as JSON Schema, and how it may be treated.

    `read_only` and `idempotent` methods may be repeated after an ambiguous failure. `code` names parameters
    that are program text, into which no reference is filled. `name` may end in `*` for methods found at run time.
    `capabilities` are any of streaming, batch, caching, sandboxed. `calls` are methods that carrying it out may call
    by itself, whatever the task's `calls` say, `*` standing for anything; where another task's code calls it, none.
    """

    name: str = ""
    description: str = ""
    parameters: JSONSchema = field(default_factory=dict[str, Any])
    returns: JSONSchema | None = None
    read_only: bool = False
    idempotent: bool = False
    code: Sequence[str] = ()
    capabilities: Sequence[str] = ()
    calls: Sequence[str] = ()


class Protocol:
    """A named, versioned set of methods, such as `myprotocol/v1`.

    `methods` is a list of names, of `MethodSpec`, or a mapping from name to `MethodSpec` or to the short form
    `{description, parameters: {name: {type, required, default, enum}}, returns}`.

    Raises `ConfigurationError` where a method is not of that form.
    """

    def __init__(
        self,
        id: str,
        name: str | None = None,
        version: str = "1.0.0",
        description: str = "",
        methods: Iterable[str | MethodSpec] | Mapping[str, MethodSpec | Mapping[str, Any]] = (),
    ) -> None:
        self.id = id
        self.name = name or id
        self.version = version
        self.description = description
        self.methods: Mapping[str, MethodSpec] = {spec.name: spec for spec in _specs(id, methods)}

    def __repr__(self) -> str:
        return f"Protocol({self.id!r}, methods={list(self.methods)!r})"


def prefix_of(protocol_id: str) -> str:
    """`myprotocol/` for `myprotocol/v1`."""
    return protocol_id.split("/", 1)[0] + "/"


def _specs(
    protocol_id: str, methods: Iterable[str | MethodSpec] | Mapping[str, MethodSpec | Mapping[str, Any]]
) -> list[MethodSpec]:
    if isinstance(methods, Mapping):
        named = cast("Mapping[str, MethodSpec | Mapping[str, Any]]", methods)
        return [_named(protocol_id, name, _spec(name, value)) for name, value in named.items()]
    specs = [method if isinstance(method, MethodSpec) else MethodSpec(name=method) for method in methods]
    return [_named(protocol_id, spec.name, spec) for spec in specs]


def _named(protocol_id: str, name: str, spec: MethodSpec) -> MethodSpec:
    full = name if "/" in name else prefix_of(protocol_id) + name
    return replace(spec, name=full, parameters=object_schema(spec.parameters))


def _spec(name: str, value: MethodSpec | Mapping[str, Any]) -> MethodSpec:
    if isinstance(value, MethodSpec):
        return value
    known = {"description", "parameters", "returns", "read_only", "idempotent", "code", "capabilities", "calls"}
    unknown = sorted(set(value) - known)
    if unknown:
        raise ConfigurationError(
            f'method "{name}": unknown key "{unknown[0]}"', hint=f"known are {', '.join(sorted(known))}"
        )
    fields = dict(value)
    if fields.get("returns") is not None:
        fields["returns"] = object_schema(fields["returns"])
    return MethodSpec(name=name, **fields)


def object_schema(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema of an object, from one or from the short form `{name: {type, required, ...}}`."""
    if not parameters or isinstance(parameters.get("type"), str) or "$ref" in parameters or "$schema" in parameters:
        return dict(parameters) or {"type": "object"}
    properties = {name: _property(value) for name, value in parameters.items()}
    required = [name for name, value in parameters.items() if _is_required(value)]
    return {"type": "object", "properties": properties, **({"required": required} if required else {})}


def _is_required(value: Any) -> bool:
    return isinstance(value, Mapping) and cast("Mapping[str, Any]", value).get("required") is True


def _property(value: Any) -> dict[str, Any]:
    if isinstance(value, str):
        value = {"type": value}
    schema = {key: item for key, item in value.items() if not (key == "required" and isinstance(item, bool))}
    if schema.get("type") == "any":
        del schema["type"]
    return schema
