"""Putting a question of a run to the person at the terminal, field by field."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.application.answering import until_closed
from gleitzeit.cli.output import say
from gleitzeit.cli.terminal import EndOfInputError, Terminal
from gleitzeit.core.errors import ConflictError, ValidationError
from gleitzeit.core.forms import form_of
from gleitzeit.core.models import Question, Run
from gleitzeit.engine.base import Engine, Reply

_TRUE, _FALSE = ("y", "yes", "true"), ("n", "no", "false")


async def ask(engine: Engine, run: Run, question: Question, terminal: Terminal | None) -> None:
    """Have a question answered.

    Where there is no terminal to ask at it is dismissed, unless it is for a person alone, or does not wait for ever.
    """
    say((f"{question.task_id} asks:", "bold yellow"), f" {question.message}")
    if terminal is None and (question.person or question.expires_at is not None):
        say(f"there is no terminal to answer at; in another one: gleitzeit runs answer {run.id}")
        return
    if terminal is None:
        say("there is no terminal to answer at, so the question is dismissed; a server lets its host answer")
        await _give(engine, run, question, Reply("cancel"))
        return
    async with until_closed(engine, run, question):
        while not await _give(engine, run, question, await _reply(question, terminal)):
            pass


async def _give(engine: Engine, run: Run, question: Question, reply: Reply) -> bool:
    """Whether the question is closed now; false where the answer does not fit, which is said."""
    try:
        await engine.answer(run.id, question.id, reply)
    except ValidationError as error:
        say(("that does not fit: ", "bold red"), error.message)
        return False
    except ConflictError as error:
        say(error.message)
    return True


async def _reply(question: Question, terminal: Terminal) -> Reply:
    """What the person says; the end of the input declines."""
    say(("Ctrl-D declines to answer", "dim"))
    form = form_of(question.schema)
    try:
        if question.person and form is not None and not form["properties"]:
            return await _yes_or_no(terminal)
        content = await _json(question, terminal) if form is None else await _fields(form, terminal)
    except EndOfInputError:
        say("declined")
        return Reply("decline", answered_by="person")
    return Reply("accept", content, answered_by="person")


async def _yes_or_no(terminal: Terminal) -> Reply:
    """What needs a person's yes has it only where that is typed."""
    while True:
        text = (await terminal.line("yes or no:")).lower()
        if text in _TRUE:
            return Reply("accept", answered_by="person")
        if text in _FALSE:
            return Reply("decline", answered_by="person")


async def _json(question: Question, terminal: Terminal) -> dict[str, Any]:
    """An answer that is no plain form, as JSON in one line."""
    say(f"the answer is JSON that fits {json.dumps(question.schema, ensure_ascii=False)}")
    while True:
        text = await terminal.line("answer:")
        try:
            value = json.loads(text)
        except ValueError as error:
            say(("that is no JSON: ", "bold red"), str(error))
            continue
        if isinstance(value, dict):
            return {str(key): item for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
        say(("that is no JSON object", "bold red"))


async def _fields(form: Mapping[str, Any], terminal: Terminal) -> dict[str, Any]:
    if not form["properties"]:
        await terminal.line("Enter agrees:")
    answers: dict[str, Any] = {}
    for name, field in form["properties"].items():
        text = await terminal.line(_prompt(name, field, name in form.get("required", ())))
        if text:
            answers[name] = _value(text, field)
        elif "default" in field:
            answers[name] = field["default"]
    return answers


def _prompt(name: str, field: Mapping[str, Any], required: bool) -> str:
    facts = [str(field["description"])] if field.get("description") else []
    options = _options(field)
    facts += [" | ".join(options)] if options else []
    facts += ["yes or no"] if field["type"] == "boolean" else []
    facts += ["several: with commas between them"] if field["type"] == "array" else []
    if "default" in field:
        facts.append(f"Enter: {json.dumps(field['default'], ensure_ascii=False)}")
    elif not required:
        facts.append("Enter leaves it out")
    label = str(field.get("title") or name)
    return f"{label} ({'; '.join(facts)}):" if facts else f"{label}:"


def _options(field: Mapping[str, Any]) -> Sequence[str]:
    items: Mapping[str, Any] = field.get("items", field)
    titled: Sequence[Mapping[str, str]] = items.get("oneOf") or items.get("anyOf") or ()
    return [f"{option['const']} = {option['title']}" for option in titled] or list(items.get("enum", ()))


def _value(text: str, field: Mapping[str, Any]) -> Any:
    """What was typed, as the type of the field where it can be; what can't be is found not to fit."""
    match field["type"]:
        case "boolean":
            return text.lower() in _TRUE if text.lower() in (*_TRUE, *_FALSE) else text
        case "integer" | "number":
            return _number(text)
        case "array":
            return [part.strip() for part in text.split(",") if part.strip()]
        case _:
            return text


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text
