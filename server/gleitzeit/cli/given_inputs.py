"""The inputs of a run as they are given on a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from gleitzeit.core.data import is_object
from gleitzeit.core.document import read
from gleitzeit.core.errors import DocumentError, NotFoundError, ValidationError
from gleitzeit.core.inputs import coerce_text
from gleitzeit.core.models import Workflow
from gleitzeit.core.reading.data_text import read_data


def given_inputs(document: bytes | Workflow, pairs: Sequence[str] | None, file: Path | None) -> dict[str, Any]:
    """The inputs from `-i key=value`, each read as the type that the document declares, over those of `--inputs`.

    Raises `ValidationError` for a value that is not of its type, and `NotFoundError` for a file that is not there.
    """
    texts = pairs_of(pairs or ())
    inputs = data_file(file, "inputs") if file is not None else {}
    if not texts:
        return inputs
    declared = _declared(document)
    return inputs | {name: _value(name, declared, text) for name, text in texts.items()}


def pairs_of(texts: Sequence[str]) -> dict[str, str]:
    """What stands before and after the first `=` of each text."""
    return dict(_pair(text) for text in texts)


def _pair(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not separator or not name.strip():
        raise typer.BadParameter(f'"{text}" is not KEY=VALUE', param_hint="-i")
    return name.strip(), value


def _declared(document: bytes | Workflow) -> Mapping[str, Mapping[str, Any]]:
    workflow = document if isinstance(document, Workflow) else read(document).workflow
    return workflow.inputs if workflow is not None else {}


def _value(name: str, declared: Mapping[str, Mapping[str, Any]], text: str) -> Any:
    try:
        return coerce_text(declared.get(name, {}), text)
    except ValidationError as error:
        raise ValidationError(f"input {name}: {error.message}", hint=error.hint) from None


def data_file(file: Path, what: str) -> dict[str, Any]:
    """The mapping in a YAML or JSON file. Raises `NotFoundError`, and `ValidationError` for what is none."""
    if not file.exists():
        raise NotFoundError(f"there is no file {file}", hint=f"--{what} names a YAML or JSON file")
    try:
        values: Any = read_data(file.read_bytes())
    except DocumentError as error:
        raise ValidationError(f"{file}: {error.message}", hint="mend the YAML or JSON there") from None
    if not is_object(values):
        raise ValidationError(f"{file}: {what} are a mapping from names to values")
    return values
