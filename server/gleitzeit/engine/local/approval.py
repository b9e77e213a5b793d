"""Approvals: what a person has to say yes to before a method is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.digest import canonical_text
from gleitzeit.core.errors import QuestionDeclinedError
from gleitzeit.core.models import Question
from gleitzeit.core.visible import visible
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.children import identified, told_parameters
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.deed import Deed
from gleitzeit.engine.local.inquiry import Inquiry

_LONGEST_SHOWN = 2_000
_LARGEST_TOLD = 16_384
_NOTHING_TO_FILL_IN: Mapping[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


@dataclass(frozen=True, slots=True)
class Request:
    """What has to be approved, and for which task or item; `identity` tells a call of it from all others."""

    task: str
    method: str
    parameters: dict[str, Any]
    identity: str = ""


def asks_for(context: RunContext, method: str) -> bool:
    """Whether a person has to approve a method."""
    asks = context.parts.asks
    return asks is not None and asks(method)


async def approved(
    context: RunContext, key: str, request: Request, answers: Answers, allowance: Allowance, deed: Deed
) -> None:
    """Return once a person has approved the request of the task or call `key`.

    A later attempt at the same finds the yes again, and nothing else does: neither another task or call, nor the same
    with other parameters. Raises `QuestionDeclinedError`.
    """
    inquiry = Inquiry(_question(context, request, answers), answers, allowance, context.parts.clock.now)
    await deed.decided("asked", request.parameters, rule="policy.ask")
    try:
        await context.parts.ask(context.run.id, key, inquiry)
    except QuestionDeclinedError as error:
        await deed.decided("declined", request.parameters, rule="policy.ask")
        raise QuestionDeclinedError(
            f"{request.method} was not carried out: a person has to approve it (policy.ask), and did not",
            hint="do without it, or have them told what it is for; a resumed run asks again",
            details={**error.details, "method": request.method},
        ) from error
    await deed.decided("approved", request.parameters, rule="policy.ask")


def _question(context: RunContext, request: Request, answers: Answers) -> Question:
    run, method = context.run, visible(request.method)
    digest = identified(request.method, request.parameters, None, context.secrets).digest
    question_id = answers.name(run.id, request.task, request.identity, "approval", digest)
    told = told_parameters(request.parameters, context.secrets)
    text = visible(canonical_text(told))
    whole = told if len(text) <= _LARGEST_TOLD else _begin_of(text, _LARGEST_TOLD)
    return answers.earlier(question_id) or Question(
        id=question_id,
        task_id="",
        message=f'May {method} be carried out for the task "{request.task}" of the run {run.id}?\n'
        f"Its parameters: {_begin_of(text, _LONGEST_SHOWN)}",
        schema=_NOTHING_TO_FILL_IN,
        asked_at=context.parts.clock.now(),
        person=True,
        approval={"method": request.method, "parameters": whole, "digest": digest},
    )


def _begin_of(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters in all)"
