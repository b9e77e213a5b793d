"""Questions as tasks ask them: checked and bounded, with the secrets taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.models import Question
from gleitzeit.core.schema import check_schema, misfits, refusal
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.results import measured

LONGEST_MESSAGE = 4_000
_LARGEST_SCHEMA = 64 * 1024
_LARGEST_DEFAULT = 64 * 1024
_LONGEST_WAIT = 31_536_000.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What a task wants to ask: of a `person` alone, and within `seconds`, after which `default` is the answer."""

    message: str
    schema: Mapping[str, Any] | None = None
    person: bool = False
    seconds: float | None = None
    default: Mapping[str, Any] | None = None


def question_of(
    wish: Wish, asker: tuple[str, ...], answers: Answers, redact: Callable[[Any], Any], now: float
) -> Question:
    """The question of an `asker`. Raises `ValidationError` for a schema that no object can be checked by."""
    text = redact(str(wish.message))
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE - 1]}…"
    schema = redact(_sound(wish.schema))
    question_id = answers.name(*asker, text, schema, wish.person)
    return answers.earlier(question_id) or Question(
        id=question_id,
        task_id="",
        message=text,
        schema=schema,
        asked_at=now,
        person=wish.person,
        expires_at=None if wish.seconds is None else now + _bounded(wish.seconds),
        default=None if wish.default is None else redact(_fitting(wish.default, schema)),
    )


def _bounded(seconds: float) -> float:
    if not 0 < seconds <= _LONGEST_WAIT:
        raise ValidationError(
            f"a question cannot wait for {seconds} s",
            hint=f"give it more than 0 s and at most {_LONGEST_WAIT:g} s, or no time limit at all",
        )
    return float(seconds)


def _fitting(default: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    data: Any = measured(default, _LARGEST_DEFAULT, "the default of a question")[0]
    found = misfits(schema, data, whole=True)
    if found:
        raise refusal("the default of a question", found)
    return dict(data)


def _sound(schema: Mapping[str, Any] | None) -> dict[str, Any]:
    data: Any = measured(schema or {}, _LARGEST_SCHEMA, "the schema of a question")[0]
    data = {"type": "object", "properties": {}, **data}
    if data["type"] != "object":
        raise ValidationError(
            "the schema of a question is that of an object, whose properties are what is asked for",
            hint='for one value: {"properties": {"value": ...}, "required": ["value"]}',
        )
    problems = check_schema(data)
    if problems:
        told = "; ".join(f"{path}: {problem}" if path else problem for path, problem in problems)
        raise ValidationError(f"the schema of a question is none: {told}")
    return dict(data)
