"""`gleitzeit submit`: records a run and leaves it to a server that shares the database."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer

from gleitzeit.application import Application
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.database import with_database
from gleitzeit.cli.documents import WorkflowFileError
from gleitzeit.cli.given_inputs import given_inputs
from gleitzeit.cli.options import ConfigOption, InputOption, InputsFileOption, JsonOption
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.cli.problems import say_diagnostics
from gleitzeit.cli.run import FileArgument, own_root, workflow_file
from gleitzeit.core.models import Run
from gleitzeit.store.base import HEARTBEAT

KeyOption = Annotated[
    str | None, typer.Option("--idempotency-key", metavar="KEY", help="The same key never gives a second run.")
]

_PATIENCE = HEARTBEAT + 1.0


def submit(
    file: FileArgument,
    given: InputOption = None,
    inputs: InputsFileOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Record a run for a server that shares the database, and print its id.

    Waits a few seconds for a server to take it up. Where none does, the run stays recorded, with the status `running`
    although nobody carries it out yet, until a server is started or it is resumed.
    """
    document = workflow_file(file, config)
    values = given_inputs(document.content, given, inputs)
    roots = own_root(configured(config), document)

    async def recorded(opened: Application) -> tuple[Run, bool]:
        checked = await opened.check(document.content, values, name=document.stem)
        if not checked.valid:
            raise WorkflowFileError(document, checked.diagnostics)
        say_diagnostics(checked.diagnostics, document.name, document.text)
        run = await opened.record(checked, roots=roots, idempotency_key=key)
        return run, run.over or await _taken_up(opened, run)

    run, taken = with_database(config, recorded)
    if as_json:
        print_json({"run_id": run.id, "status": run.status, "taken_up": taken})
    else:
        print_result(run.id)
    if not taken:
        say(
            ("no server has taken it up yet", "yellow"),
            f"; it is recorded. `gleitzeit serve` will, or: gleitzeit runs resume {run.id}",
        )


async def _taken_up(opened: Application, run: Run) -> bool:
    """Whether a server carries the run out by now; one that is there looks for runs at every heartbeat."""
    with anyio.move_on_after(_PATIENCE):
        async for _ in opened.engine.events(run.id, run.seq):
            return True
    return await opened.abandoned(run) is None
