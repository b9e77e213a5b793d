"""`gleitzeit call`: carries out a single method right here, as a run of one task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.carrying import carry
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.given_inputs import data_file
from gleitzeit.cli.options import ConfigOption, JsonOption, TimeoutOption
from gleitzeit.cli.output import say
from gleitzeit.config import usable_root
from gleitzeit.core.data import is_mapping, is_object
from gleitzeit.core.errors import DocumentError, ValidationError
from gleitzeit.core.inputs import coerce_text
from gleitzeit.core.models import Run
from gleitzeit.core.reading.data_text import read_data

MethodArgument = Annotated[str, typer.Argument(metavar="METHOD", help="A method, as `gleitzeit methods` shows it.")]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="KEY=VALUE", help="One parameter of the method; may be given again."),
]
ParametersOption = Annotated[
    str | None,
    typer.Option(metavar="JSON|@FILE", help="Parameters as JSON or YAML, or @ and a file of it; -p goes before it."),
]
_FILE = "@"


def call(
    method: MethodArgument,
    given: ParameterOption = None,
    parameters: ParametersOption = None,
    timeout: TimeoutOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Call one method here and now, and print its result."""
    texts = dict(_pair(text) for text in given or ())
    whole = _whole(parameters) if parameters is not None else {}
    configuration = configured(config)
    root = usable_root(Path.cwd(), configuration.home)
    begin = partial(_begin, method=method, whole=whole, texts=texts, roots=[] if root is None else [root])
    carry(begin, configuration, timeout=timeout, as_json=as_json, config=config)


async def _begin(
    application: Application, *, method: str, whole: Mapping[str, Any], texts: Mapping[str, str], roots: Sequence[Path]
) -> Run:
    declared: Mapping[str, Any] = await _declared(application, method) if texts else {}
    read = {name: _value(name, declared.get(name), text) for name, text in texts.items()}
    run = await application.call(method, {**whole, **read}, roots=roots)
    say((f"run {run.id}", "dim"))
    return run


async def _declared(application: Application, method: str) -> Mapping[str, Any]:
    """The schemas of the method's parameters, as far as they are known."""
    spec = await application.describe(method)
    properties = spec.parameters.get("properties") if spec is not None else None
    return properties if is_mapping(properties) else {}


def _value(name: str, schema: Any, text: str) -> Any:
    try:
        return coerce_text(schema if is_mapping(schema) else {}, text)
    except ValidationError as error:
        raise ValidationError(f"parameter {name}: {error.message}", hint=error.hint) from None


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise typer.BadParameter(f'"{text}" is not KEY=VALUE', param_hint="-p")
    return name.strip(), value


def _whole(text: str) -> dict[str, Any]:
    """The parameters in a text, or in the file that it names. Raises as `data_file` does."""
    if text.startswith(_FILE):
        return data_file(Path(text.removeprefix(_FILE)), "parameters")
    try:
        values: Any = read_data(text)
    except DocumentError as error:
        raise ValidationError(f"--parameters: {error.message}", hint="mend the JSON, or write it to a file") from None
    if not is_object(values):
        raise ValidationError("--parameters: parameters are a mapping from names to values")
    return values
