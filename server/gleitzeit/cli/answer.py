"""`gleitzeit runs answer`: answers what a run asks, whichever process carries it out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from gleitzeit.application import Application
from gleitzeit.cli.asking import ask
from gleitzeit.cli.database import ANYBODY, with_database
from gleitzeit.cli.given_inputs import pairs_of
from gleitzeit.cli.options import ConfigOption, JsonOption, RunArgument
from gleitzeit.cli.output import print_json, print_result, say
from gleitzeit.cli.terminal import Terminal, own_terminal
from gleitzeit.core.data import is_object
from gleitzeit.core.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from gleitzeit.core.inputs import coerce_text
from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Reply

QuestionArgument = Annotated[
    str | None,
    typer.Argument(metavar="QUESTION", help="The id of a question, as `gleitzeit runs show` shows it; by default all."),
]
AnswerOption = Annotated[
    str | None, typer.Option("--answer", metavar="JSON", help="The answer: an object that fits the question's schema.")
]
FieldOption = Annotated[
    list[str] | None, typer.Option("-i", "--input", metavar="KEY=VALUE", help="One field of it; may be given again.")
]
DeclineOption = Annotated[bool, typer.Option("--decline", help="Decline to answer.")]

_Say = Callable[[Question], Reply]


def answer(
    run_id: RunArgument,
    question_id: QuestionArgument = None,
    content: AnswerOption = None,
    fields: FieldOption = None,
    decline: DeclineOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer what a run asks: field by field at a terminal, or at once by --answer, -i or --decline.

    What only a person may answer is answered at a terminal alone.
    """
    say_it, at_terminal = _said(content, fields, decline), _is_at_terminal()
    terminal = None if say_it is not None else _terminal()

    async def answered(opened: Application) -> tuple[Run, bool]:
        run = await opened.engine.get(run_id, caller=ANYBODY)
        for question in _chosen(run, question_id, only_one=say_it is not None):
            _check_person(question, at_terminal)
            if say_it is None:
                await ask(opened.engine, run, question, terminal)
            else:
                await opened.engine.answer(run_id, question.id, say_it(question), caller=ANYBODY)
        run = await opened.engine.get(run_id, caller=ANYBODY)
        return run, await opened.abandoned(run) is not None

    run, abandoned = with_database(config, answered)
    if as_json:
        print_json(run.to_dict())
    else:
        print_result(f"{run.id}  {run.status}")
    if abandoned:
        say(f"no process carries the run out now; a server takes it up, or: gleitzeit runs resume {run.id}")


def _said(content: str | None, fields: Sequence[str] | None, decline: bool) -> _Say | None:
    """What is answered without asking anybody; nothing where somebody has to be asked."""
    if (content is not None) + bool(fields) + decline > 1:
        raise typer.BadParameter("give one of --answer, -i and --decline", param_hint="--answer")
    by: Any = "person" if _is_at_terminal() else "program"
    if decline:
        return lambda _: Reply("decline", answered_by=by)
    if fields:
        texts = pairs_of(fields)
        return lambda question: Reply("accept", _typed(question, texts), by)
    if content is not None:
        data = _object(content)
        return lambda _: Reply("accept", data, by)
    return None


def _object(text: str) -> dict[str, Any]:
    try:
        data: Any = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"it is no JSON: {error}", param_hint="--answer") from None
    if not is_object(data):
        raise typer.BadParameter('it is no JSON object, such as {"name": "value"}', param_hint="--answer")
    return data


def _typed(question: Question, texts: Mapping[str, str]) -> dict[str, Any]:
    """Fields as the types that the question's schema says. Raises `ValidationError` for what is not of its type."""
    declared: Mapping[str, Any] = question.schema.get("properties", {})
    typed: dict[str, Any] = {}
    for name, text in texts.items():
        try:
            typed[name] = coerce_text(declared.get(name, {}), text)
        except ValidationError as error:
            raise ValidationError(f"{name}: {error.message}", hint=error.hint) from None
    return typed


def _chosen(run: Run, question_id: str | None, *, only_one: bool) -> Sequence[Question]:
    """The questions to answer. Raises `NotFoundError`, and `ConflictError` where it is not clear which."""
    if question_id is not None:
        found = [question for question in run.questions if question.id == question_id]
        if not found and run.over:
            raise ConflictError(f"the run {run.id} is {run.status}: it asks nothing any more")
        if not found:
            raise NotFoundError(f'the run asks no question "{question_id}" now', hint=_listed(run))
        return found
    if not run.questions:
        raise ConflictError(f"the run {run.id} is {run.status}, and asks nothing now")
    if only_one and len(run.questions) > 1:
        raise ConflictError(f"the run {run.id} asks {len(run.questions)} questions", hint=_listed(run))
    return run.questions


def _listed(run: Run) -> str:
    if not run.questions:
        return "it asks nothing now"
    return f"name one of {', '.join(f'{one.id} ({one.task_id})' for one in run.questions)}"


def _check_person(question: Question, at_terminal: bool) -> None:
    if question.person and not at_terminal:
        raise ForbiddenError(
            f'the question "{question.id}" is for a person, and this is no terminal',
            hint="type the command in a terminal yourself, with neither its input nor its output sent elsewhere",
        )


def _is_at_terminal() -> bool:
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout))


def _terminal() -> Terminal:
    terminal = own_terminal()
    if terminal is None:
        raise typer.BadParameter(
            "there is no terminal to ask at: give the answer, or --decline", param_hint="--answer, -i"
        )
    return terminal
