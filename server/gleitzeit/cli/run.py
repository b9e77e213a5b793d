"""`gleitzeit run`: carries out a workflow file right here."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.carrying import carry
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.documents import WorkflowFile, WorkflowFileError, open_workflow
from gleitzeit.cli.given_inputs import given_inputs
from gleitzeit.cli.options import ConfigOption, InputOption, InputsFileOption, JsonOption, TimeoutOption
from gleitzeit.cli.output import say
from gleitzeit.cli.problems import say_diagnostics
from gleitzeit.config import Configuration, usable_root
from gleitzeit.core.models import Run

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A workflow in YAML or JSON; - is standard input.")]


def run(
    file: FileArgument,
    given: InputOption = None,
    inputs: InputsFileOption = None,
    timeout: TimeoutOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a workflow here and now, and print its outputs."""
    document = open_workflow(file)
    values = given_inputs(document.content, given, inputs)
    configuration = configured(config)
    begin = partial(_begin, document=document, inputs=values, configuration=configuration)
    carry(begin, configuration, timeout=timeout, as_json=as_json, config=config)


async def _begin(
    application: Application, *, document: WorkflowFile, inputs: dict[str, Any], configuration: Configuration
) -> Run:
    found = await application.check(document.content, inputs, name=document.stem)
    if not found.valid:
        raise WorkflowFileError(document, found.diagnostics)
    say_diagnostics(found.diagnostics, document.name, document.text)
    run = await application.submit(found, roots=own_root(configuration, document))
    say((f"run {run.id}", "dim"))
    return run


def own_root(configuration: Configuration, document: WorkflowFile) -> list[Path]:
    """The folder of the workflow, unless it is one that no request may reach."""
    root = usable_root(document.folder, configuration.home)
    return [root] if root is not None else []
