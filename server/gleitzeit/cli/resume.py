"""`gleitzeit runs resume`: goes on with a run right here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from gleitzeit.application import Application, Undecided
from gleitzeit.cli.carrying import carry
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.database import ANYBODY
from gleitzeit.cli.documents import open_workflow
from gleitzeit.cli.given_inputs import data_file, given_inputs
from gleitzeit.cli.options import (
    ConfigOption,
    InputOption,
    InputsFileOption,
    JsonOption,
    RunArgument,
    TimeoutOption,
)
from gleitzeit.cli.output import say
from gleitzeit.cli.way_on import decisions_due, explained
from gleitzeit.core.decisions import DECISIONS, Decision
from gleitzeit.core.errors import ConflictError
from gleitzeit.core.models import Run

FromOption = Annotated[
    str | None, typer.Option("--from", metavar="TASK", help="Run this task, and what depends on it, again.")
]
ChangesOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="YAML or JSON: by task id, the keys of the task that change.")
]
WorkflowOption = Annotated[str | None, typer.Option(metavar="FILE", help="A document in place of the run's own.")]
UnknownOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="TASK=DECISION", help=f"What became of an unknown task: {', '.join(DECISIONS)}; may be given again."
    ),
]


def resume(  # noqa: PLR0917 - each is an option of its own
    run_id: RunArgument,
    from_task: FromOption = None,
    changes: ChangesOption = None,
    workflow: WorkflowOption = None,
    given: InputOption = None,
    inputs: InputsFileOption = None,
    unknown: UnknownOption = None,
    timeout: TimeoutOption = None,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run here and now: what is finished and has not changed is kept, the rest runs."""
    configuration = configured(config)
    begin = partial(
        _begin,
        run_id=run_id,
        from_task=from_task,
        changes=None if changes is None else data_file(changes, "changes"),
        workflow=None if workflow is None else open_workflow(workflow).content,
        given=given,
        inputs=inputs,
        unknown=_decisions(unknown or ()),
    )
    carry(begin, configuration, timeout=timeout, as_json=as_json, config=config)


async def _begin(
    application: Application,
    *,
    run_id: str,
    from_task: str | None,
    changes: Mapping[str, Any] | None,
    workflow: bytes | None,
    given: Sequence[str] | None,
    inputs: Path | None,
    unknown: Mapping[str, Decision],
) -> Run:
    document = workflow or await application.engine.document(run_id, caller=ANYBODY)
    values = given_inputs(document, given, inputs)
    try:
        run = await application.resume(
            run_id,
            from_task=from_task,
            changes=changes,
            workflow=workflow,
            inputs=values or None,
            unknown=unknown,
            caller=ANYBODY,
        )
    except ConflictError as error:
        raise _in_words_of_a_shell(error) from error
    say((f"run {run.id}" if run.id == run_id else f"run {run.id}, resumed from {run_id}", "dim"))
    return run


def _decisions(pairs: Sequence[str]) -> dict[str, Decision]:
    decisions: dict[str, Decision] = {}
    for pair in pairs:
        task_id, separator, decision = pair.partition("=")
        if not separator or decision not in DECISIONS:
            raise typer.BadParameter(
                f'"{pair}" is not TASK=DECISION; a decision is one of {", ".join(DECISIONS)}', param_hint="--unknown"
            )
        decisions[task_id.strip()] = cast("Decision", decision)
    return decisions


def _in_words_of_a_shell(error: ConflictError) -> ConflictError:
    unknown: Sequence[str] = error.details.get("unknown", ())
    if not unknown:
        return error
    hint = f"{explained(Undecided(tuple(unknown)))}: {decisions_due(unknown)}"
    return ConflictError(error.message, hint=hint, details=error.details)
