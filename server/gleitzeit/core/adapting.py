"""Data -> dataclass and back, by pydantic, which is loaded on first use: importing the models must stay cheap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, TypeAdapter
    from pydantic_core import CoreSchema

Model = TypeVar("Model")


@dataclass(frozen=True, slots=True)
class Pattern:
    """Marks text that has to match a regular expression; `pydantic.Field` would load all of pydantic."""

    expression: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        from pydantic_core import core_schema

        return core_schema.str_schema(pattern=self.expression)


def from_data(kind: type[Model], data: Any) -> Model:
    """`data` as a `kind`. Raises `pydantic.ValidationError` with everything that does not fit."""
    return _adapter(kind).validate_python(data)


def to_data(value: object) -> dict[str, Any]:
    """JSON data of a model, without what is at its default; what does not fit the model stays as it is."""
    data: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json", exclude_defaults=True, warnings=False)
    return data


def from_json(kind: type[Model], text: str) -> Model:
    """JSON text as a `kind`. Raises `pydantic.ValidationError` with everything that does not fit."""
    return _adapter(kind).validate_json(text)


def to_json(value: object) -> str:
    """The JSON text of what `to_data` gives."""
    return _adapter(type(value)).dump_json(value, exclude_defaults=True, warnings=False).decode()


def schema_of(kind: type[object]) -> dict[str, Any]:
    """The JSON Schema of a model."""
    return _adapter(kind).json_schema()


def _adapter(kind: type[Model]) -> TypeAdapter[Model]:
    if kind not in _adapters:
        from pydantic import TypeAdapter

        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


_adapters: dict[type[Any], TypeAdapter[Any]] = {}
