"""What a client says about asking people: whether it can, and what they answered to an earlier round of a call."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from gleitzeit.core.data import is_object
from gleitzeit.core.errors import ValidationError
from gleitzeit.engine.base import Reply
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.tools.host import AnswersNeededError, Host, reply_of
from gleitzeit.mcp_server.tools.origin import has_person

_CHOICES_SINCE = "2025-11-25"


@dataclass(frozen=True, slots=True)
class Round:
    """The run that an earlier round of the same call has waited for, and the answers to its questions."""

    run_id: str
    replies: Mapping[str, Reply]


def host_of(context: ServerRequestContext[Any, Any]) -> Host | None:
    """The client, where it has said that it can ask a person for what stands in a form, and may answer at all."""
    if not caller_of(context).may("workflows:run"):
        return None
    capabilities, version = context.session.client_capabilities, context.protocol_version
    elicitation = None if capabilities is None else capabilities.elicitation
    if elicitation is None or (elicitation.form is None and elicitation.url is not None):
        return None
    modern = version in MODERN_PROTOCOL_VERSIONS
    push = None if modern else partial(context.session.elicit_form, related_request_id=context.request_id)
    return Host(push, choices=version >= _CHOICES_SINCE, person=has_person(context.params))


def needed(tool: str, error: AnswersNeededError) -> types.InputRequiredResult:
    """What a call of `tool` is answered with until the host has asked."""
    state = json.dumps({"tool": tool, "run_id": error.run.id})
    return types.InputRequiredResult(input_requests=dict(error.requests), request_state=state)


def round_before(tool: str, params: types.CallToolRequestParams, *, person: bool) -> Round | None:
    """The round that a call of `tool` goes on from. Raises `ValidationError` for a state that no such call was given.

    The answers are those of a `person`, or else of whoever made the call.
    Whether the run and its questions are the caller's is not known yet: a client may send what it likes.
    """
    if params.request_state is None:
        return None
    given = params.input_responses or {}
    told = {key: result for key, result in given.items() if isinstance(result, types.ElicitResult)}
    replies = {key: reply_of(result, person=person) for key, result in told.items()}
    return Round(_run_id(tool, params.request_state), replies)


def _run_id(tool: str, text: str) -> str:
    try:
        state: Any = json.loads(text)
    except (ValueError, RecursionError):
        state = None
    if not is_object(state) or state.get("tool") != tool or not isinstance(state.get("run_id"), str):
        raise ValidationError(
            f"requestState is none that {tool} has given",
            hint="send back the one of the last answer unchanged, with the same tool; list_runs finds a run",
        )
    return str(state["run_id"])
