"""`gleitzeit run`: carries out a workflow file right here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from gleitzeit.application import open_application
from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.documents import WorkflowFile, WorkflowFileError, open_workflow
from gleitzeit.cli.following import Followed, follow
from gleitzeit.cli.given_inputs import given_inputs
from gleitzeit.cli.options import ConfigOption, InputOption, InputsFileOption, JsonOption
from gleitzeit.cli.output import json_text, kept_for_results, print_json, print_result, print_value, say
from gleitzeit.cli.problems import say_diagnostics, say_failure
from gleitzeit.config import Configuration, usable_root
from gleitzeit.core.models import Run

FileArgument = Annotated[str, typer.Argument(metavar="FILE", help="A workflow in YAML or JSON; - is standard input.")]
TimeoutOption = Annotated[float | None, typer.Option(min=0.001, metavar="SECONDS", help="Cancel the run after that.")]


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
    followed = _followed(document, values, configured(config), timeout)
    if as_json:
        print_json(followed.run.to_dict())
    else:
        _print_outputs(followed.run)
    _say_what_went_wrong(followed, timeout)
    raise typer.Exit(_exit_code(followed))


def _followed(
    document: WorkflowFile, inputs: dict[str, Any], configuration: Configuration, timeout: float | None
) -> Followed:
    ends: list[Followed] = []
    try:
        with kept_for_results():
            anyio.run(_carry_out, document, inputs, configuration, timeout, ends.append)
    except KeyboardInterrupt:
        # A run that is over is not lost to someone who does not wait for the servers to close.
        if not ends:
            raise
    return ends[0]


async def _carry_out(
    document: WorkflowFile,
    inputs: dict[str, Any],
    configuration: Configuration,
    timeout: float | None,
    tell: Callable[[Followed], None],
) -> None:
    async with open_application(configuration) as application:
        found = await application.check(document.content, inputs, name=document.stem)
        if not found.valid:
            raise WorkflowFileError(document, found.diagnostics)
        say_diagnostics(found.diagnostics, document.name, document.text)
        started = await application.submit(found, roots=_own_root(configuration, document))
        tell(await follow(application.engine, started, timeout))


def _own_root(configuration: Configuration, document: WorkflowFile) -> list[Path]:
    """The folder of the workflow, unless it is one that no request may reach."""
    root = usable_root(document.folder, configuration.home)
    return [root] if root is not None else []


def _print_outputs(run: Run) -> None:
    """A single output as it is; several with their names."""
    if len(run.outputs) == 1:
        print_value(next(iter(run.outputs.values())))
        return
    for name, value in run.outputs.items():
        short = not isinstance(value, (dict, list)) and "\n" not in str(value)
        text = value if isinstance(value, str) else json_text(value)
        print_result(f"{name}: {text}" if short else f"{name}:\n{text}")


def _say_what_went_wrong(followed: Followed, timeout: float | None) -> None:
    run = followed.run
    if run.status == "completed":
        return
    failures = {task.task_id: task.error for task in run.tasks.values() if task.error is not None}
    for task_id, failure in failures.items():
        say_failure(failure, task_id)
    if run.error is not None and not any(failure.message in run.error.message for failure in failures.values()):
        say_failure(run.error)
    say((f"run {run.id} {_ending(followed, timeout)}", "bold red"))


def _ending(followed: Followed, timeout: float | None) -> str:
    match followed.end:
        case "timed out":
            return f"was cancelled after {timeout:g} seconds"
        case "interrupted":
            return "was cancelled"
        case "waiting":
            return "waits for a decision that can't be given here; it was not carried on"
        case "over":
            return followed.run.status


def _exit_code(followed: Followed) -> int:
    if followed.run.status == "completed":
        return exits.OK
    if followed.end == "timed out":
        return exits.TIMED_OUT
    return exits.INTERRUPTED if followed.end == "interrupted" else exits.exit_code_of_run(followed.run)
