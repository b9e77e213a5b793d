"""`gleitzeit runs answer`: answers a question of a run."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.database import CALLER, with_database
from gleitzeit.cli.options import ConfigOption, JsonOption, RunArgument
from gleitzeit.cli.output import print_json, print_result
from gleitzeit.core.data import is_object
from gleitzeit.core.models import Run
from gleitzeit.engine.base import Reply

QuestionArgument = Annotated[
    str, typer.Argument(metavar="QUESTION", help="The id of a question, as `gleitzeit runs show` shows it.")
]
AnswerOption = Annotated[
    str | None, typer.Option("--answer", metavar="JSON", help="The answer: an object that fits the question's schema.")
]
DeclineOption = Annotated[bool, typer.Option("--decline", help="Decline to answer.")]


def answer(
    run_id: RunArgument,
    question_id: QuestionArgument,
    content: AnswerOption = None,
    decline: DeclineOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer what a run asks; only the process that carries a run out takes answers, and says so elsewhere."""
    reply = _reply(content, decline)

    async def answered(opened: Application) -> Run:
        return await opened.engine.answer(run_id, question_id, reply, caller=CALLER)

    run = with_database(config, answered)
    if as_json:
        print_json(run.to_dict())
    else:
        print_result(f"{run.id}  {run.status}")


def _reply(content: str | None, decline: bool) -> Reply:
    if (content is None) != decline:
        raise typer.BadParameter("give either --answer or --decline", param_hint="--answer")
    if content is None:
        return Reply("decline", answered_by="person")
    try:
        data: Any = json.loads(content)
    except ValueError as error:
        raise typer.BadParameter(f"it is no JSON: {error}", param_hint="--answer") from None
    if not is_object(data):
        raise typer.BadParameter('it is no JSON object, such as {"name": "value"}', param_hint="--answer")
    return Reply("accept", data, answered_by="person")
