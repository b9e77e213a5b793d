"""`gleitzeit runs events`: what happened in a run, and what happens."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.database import ANYBODY, with_database
from gleitzeit.cli.options import ConfigOption, JsonOption, RunArgument
from gleitzeit.cli.output import print_result
from gleitzeit.cli.run_text import moment
from gleitzeit.core.data import is_object
from gleitzeit.core.models import Event

AfterOption = Annotated[int, typer.Option("--after", min=0, help="Only events after this number.")]
FollowOption = Annotated[bool, typer.Option("--follow", "-f", help="Wait for those to come, until the run is over.")]


def events(
    run_id: RunArgument,
    after: AfterOption = 0,
    follow: FollowOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print the events of a run, one a line; with --json, each as a JSON object."""

    async def printed(opened: Application) -> None:
        run = await opened.engine.get(run_id, caller=ANYBODY)
        if not follow and run.seq <= after:
            return
        async for event in opened.engine.events(run_id, after, caller=ANYBODY):
            print_result(json.dumps(event.to_dict(), ensure_ascii=False) if as_json else _line(event))
            if not follow and event.seq >= run.seq:
                return

    with_database(config, printed, prints=True)


def _line(event: Event) -> str:
    words = f"{event.task_id or 'run'}: {event.kind.partition('.')[2]}"
    facts = _facts(event.data)
    return f"{event.seq:>5}  {moment(event.at)}  {words}{': ' if facts else ''}{facts}"


def _facts(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    if is_object(error):
        return str(error.get("message", "")).strip().partition("\n")[0]
    return ", ".join(f"{name} {value}" for name, value in data.items() if not isinstance(value, (dict, list)))
