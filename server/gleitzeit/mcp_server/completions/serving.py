"""The request for completions."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import NotFoundError, ValidationError
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.prompts.catalog import PROMPTS
from gleitzeit.mcp_server.protocol_errors import protocol_errors
from gleitzeit.mcp_server.resources.addresses import RUN_TEMPLATE, TASK_TEMPLATE, WORKFLOW_TEMPLATE

_PARTS = {RUN_TEMPLATE: ("run_id",), TASK_TEMPLATE: ("run_id", "task_id"), WORKFLOW_TEMPLATE: ("name",)}

Context = ServerRequestContext[Face, Any]


def serve_completions(server: Server[Face]) -> None:
    """Have `server` complete the arguments of its prompts and the parts of its addresses."""
    server.add_request_handler("completion/complete", types.CompleteRequestParams, _complete)


async def _complete(context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    with protocol_errors():
        _check(params.ref, params.argument.name)
        from gleitzeit.mcp_server.completions.candidates import candidates  # it brings the application

        application = await context.lifespan_context.application.opened()
        settled = (params.context.arguments if params.context is not None else None) or {}
        found = await candidates(application, caller_of(context), params.argument.name, params.argument.value, settled)
    completion = types.Completion(values=list(found.values), total=found.total, has_more=found.more)
    return types.CompleteResult(completion=completion)


def _check(ref: types.ResourceTemplateReference | types.PromptReference, argument: str) -> None:
    """Raise `NotFoundError` for what there is not, and `ValidationError` for an argument that it does not have."""
    if isinstance(ref, types.PromptReference):
        prompt = PROMPTS.get(ref.name)
        named, known = f'prompt "{ref.name}"', list(PROMPTS)
        parts = None if prompt is None else tuple(part.name for part in prompt.arguments or ())
    else:
        named, known, parts = f'resource template "{ref.uri}"', list(_PARTS), _PARTS.get(ref.uri)
    if parts is None:
        hint = did_you_mean(ref.name if isinstance(ref, types.PromptReference) else ref.uri, known)
        raise NotFoundError(f"there is no {named}", hint=hint or f"there are {', '.join(known)}")
    if argument not in parts:
        raise ValidationError(f'the {named} has no argument "{argument}"', hint=f"it has {', '.join(parts)}")
