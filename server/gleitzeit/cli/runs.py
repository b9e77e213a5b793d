"""`gleitzeit runs`: the runs in the database, whoever carries them out."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gleitzeit.application import Application, Undecided
from gleitzeit.cli import resume
from gleitzeit.cli.answer import answer
from gleitzeit.cli.database import ANYBODY, with_database
from gleitzeit.cli.events import events
from gleitzeit.cli.options import ConfigOption, JsonOption, RunArgument
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.cli.run_text import moment, told_run, told_summary
from gleitzeit.cli.way_on import explained, resuming
from gleitzeit.core.models import Run, RunState

application = typer.Typer(help="See and steer runs.", no_args_is_help=True, rich_markup_mode=None)

StatusOption = Annotated[RunState | None, typer.Option(help="Only runs in this state.")]
NameOption = Annotated[str | None, typer.Option(help="Only runs of the workflow of this name.")]
LimitOption = Annotated[int, typer.Option(min=1, max=1000, help="How many.")]
CursorOption = Annotated[str | None, typer.Option(help="Go on where an earlier list ended.")]
ReasonOption = Annotated[str, typer.Option(help="Why; it is kept with the run.")]


@application.callback()
def options() -> None:
    """See and steer runs."""


@application.command("list")
def list_runs(
    status: StatusOption = None,
    name: NameOption = None,
    limit: LimitOption = 20,
    cursor: CursorOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """List runs, newest first."""

    async def listed(opened: Application) -> Any:
        return await opened.engine.list(caller=ANYBODY, status=status, name=name, limit=limit, cursor=cursor)

    found = with_database(config, listed)
    if as_json:
        print_json({"runs": [told_summary(run) for run in found.runs], "cursor": found.cursor})
        return
    for run in found.runs:
        print_result(f"{run.id}  {run.status:<10} {moment(run.created_at)}  {run.name}")
    if not found.runs:
        say("no run fits")
    if found.cursor:
        say(f"there are more: --cursor {found.cursor}")


@application.command()
def show(run_id: RunArgument, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Show one run: its tasks, its outputs, and what to do next."""

    async def found(opened: Application) -> tuple[Run, Undecided, frozenset[str] | None]:
        run = await opened.engine.get(run_id, caller=ANYBODY)
        return run, await opened.undecided(run), await opened.abandoned(run)

    run, undecided, abandoned = with_database(config, found)
    if as_json:
        print_json({**run.to_dict(), "abandoned": abandoned is not None})
    else:
        print_result("\n".join(told_run(run, undecided, abandoned=abandoned)))


@application.command()
def cancel(
    run_id: RunArgument, reason: ReasonOption = "", config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Cancel a run, whichever process carries it out; what is finished stays."""

    async def cancelled(opened: Application) -> tuple[Run, Undecided]:
        run = await opened.engine.cancel(run_id, reason, caller=ANYBODY)
        return run, await opened.undecided(run)

    run, undecided = with_database(config, cancelled)
    if as_json:
        print_json(run.to_dict())
    else:
        print_result(f"{run.id}  {run.status}")
    explanation = explained(undecided)
    if explanation:
        say(explanation)
        say(f"to go on with it: {resuming(run.id, undecided)}")


application.command("resume")(resume.resume)
application.command("events")(events)
application.command("answer")(answer)
