"""`gleitzeit run`: carries out a workflow file right here."""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.carrying import carry
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.database import CALLER, with_database
from gleitzeit.cli.documents import WorkflowFile, WorkflowFileError, open_workflow
from gleitzeit.cli.given_inputs import given_inputs
from gleitzeit.cli.options import ConfigOption, InputOption, InputsFileOption, JsonOption, TimeoutOption
from gleitzeit.cli.output import say
from gleitzeit.cli.problems import say_diagnostics
from gleitzeit.config import Configuration, usable_root
from gleitzeit.core.errors import WorkflowNotFoundError
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
    document = workflow_file(file, config)
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


def workflow_file(file: str, config: Path | None) -> WorkflowFile:
    """The workflow in a file. Raises `WorkflowNotFoundError`, which tells of a saved workflow of that name."""
    try:
        return open_workflow(file)
    except WorkflowNotFoundError as error:
        if file not in _saved_names(config):
            raise
        hint = f"a workflow is saved as {file}: gleitzeit workflows show {shlex.quote(file)} | gleitzeit run -"
        raise WorkflowNotFoundError(error.message, hint=hint) from error


def _saved_names(config: Path | None) -> list[str]:
    database = configured(config).engine.file
    if database is None or not database.exists():  # nothing is created just to look for a name
        return []

    async def listed(opened: Application) -> list[str]:
        return [saved.name for saved in await opened.saved.list(caller=CALLER)]

    return with_database(config, listed)


def own_root(configuration: Configuration, document: WorkflowFile) -> list[Path]:
    """The folder of the workflow, unless it is one that no request may reach."""
    root = usable_root(document.folder, configuration.home)
    return [root] if root is not None else []
