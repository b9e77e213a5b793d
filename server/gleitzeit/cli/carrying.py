"""Carrying one run to its end here, and telling what became of it."""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import typer

from gleitzeit.application import Application, open_application
from gleitzeit.cli import exits
from gleitzeit.cli.following import Followed, follow
from gleitzeit.cli.output import json_text, kept_for_results, print_json, print_result, print_value, say
from gleitzeit.cli.problems import say_failure
from gleitzeit.cli.way_on import explained, resuming
from gleitzeit.config import Configuration
from gleitzeit.core.models import Run

Begin = Callable[[Application], Awaitable[Run]]


def carry(
    begin: Begin, configuration: Configuration, *, timeout: float | None, as_json: bool, config: Path | None
) -> None:
    """Begin a run, show how it goes, print its outputs, and leave with the exit code that it ends with."""
    followed = _followed(begin, configuration, timeout)
    if as_json:
        print_json(followed.run.to_dict())
    else:
        print_outputs(followed.run)
    _say_what_went_wrong(followed, timeout)
    if followed.run.status != "completed" and configuration.engine.file is not None:
        _say_way_on(followed, config)
    raise typer.Exit(_exit_code(followed))


def _followed(begin: Begin, configuration: Configuration, timeout: float | None) -> Followed:
    ends: list[Followed] = []
    try:
        with kept_for_results():
            anyio.run(_carry_out, begin, configuration, timeout, ends.append)
    except KeyboardInterrupt:
        # A run that is over is not lost to someone who does not wait for the servers to close.
        if not ends:
            raise
    return ends[0]


async def _carry_out(
    begin: Begin, configuration: Configuration, timeout: float | None, tell: Callable[[Followed], None]
) -> None:
    async with open_application(configuration, recover=False) as application:
        followed = await follow(
            application.engine, partial(begin, application), timeout, lasting=configuration.engine.file is not None
        )
        tell(replace(followed, undecided=await application.undecided(followed.run)))


def say_failures(run: Run) -> None:
    """Write why each task failed, and the run, to standard error."""
    failures = {task.task_id: task.error for task in run.tasks.values() if task.error is not None}
    for task_id, failure in failures.items():
        say_failure(failure, task_id)
    if run.error is not None and not any(failure.message in run.error.message for failure in failures.values()):
        say_failure(run.error)


def _say_way_on(followed: Followed, config: Path | None) -> None:
    explanation = explained(followed.undecided)
    if explanation:
        say(explanation)
    chosen = f" --config {shlex.quote(str(config))}" if config is not None else ""
    say(f"to go on with it: {resuming(followed.run.id, followed.undecided, chosen)}")


def print_outputs(run: Run) -> None:
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
    say_failures(run)
    say((f"run {run.id} {_ending(followed, timeout)}", "bold red"))


def _ending(followed: Followed, timeout: float | None) -> str:
    match followed.end:
        case "timed out":
            return f"was cancelled after {timeout:g} seconds"
        case "interrupted":
            return "was cancelled"
        case "waiting":
            return "waits for a decision on what became of its unknown tasks"
        case "over":
            return followed.run.status


def _exit_code(followed: Followed) -> int:
    if followed.run.status == "completed":
        return exits.OK
    if followed.end == "timed out":
        return exits.TIMED_OUT
    return exits.INTERRUPTED if followed.end == "interrupted" else exits.exit_code_of_run(followed.run)
