"""`Calling`: carries tools out, and answers in the wire form of the client's version.

It takes the place of the SDK's handler, which holds each request and each answer against two models: near a tenth of
what a short call costs here, though our own answers are made of the same few fields every time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from pydantic import ValidationError

from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.tasks.base import CallTask
from gleitzeit.mcp_server.tasks.wire import created

if TYPE_CHECKING:  # at run time it is imported after the first answer
    from gleitzeit.mcp_server.rendering.answer import Answer
    from gleitzeit.mcp_server.tasks.runs import RunTasks

Context = ServerRequestContext[Face, Any]
CarryOut = Callable[
    [Context, types.CallToolRequestParams, "RunTasks"], Awaitable["Answer | types.InputRequiredResult | CallTask"]
]
CallResult = Callable[["Answer", str], dict[str, Any]]
Answered = types.InputRequiredResult | dict[str, Any]

_CALL = "tools/call"
_STRAIGHT = frozenset({"2025-06-18", "2025-11-25"})
"""The versions that know all fields of our own answers, and nothing around them."""


class Calling(ServerMiddleware[Face]):
    """The handler of `tools/call`, and the way past the SDK's for what it would not change."""

    def __init__(self, tasks: Callable[[], RunTasks]) -> None:
        self._tasks = tasks

    async def __call__(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        """What the tool answers; a request that is not plain is left to the SDK."""
        params = _plain_params(ctx)
        if params is None:
            return await call_next(ctx)
        return await self.handle(ctx, params)

    async def handle(self, context: Context, params: types.CallToolRequestParams) -> Answered:
        """What a tool answers, or what its host has to ask before, or the task that the call goes on as."""
        carry_out, call_result = _parts()
        answer = await carry_out(context, params, self._tasks())
        if isinstance(answer, types.InputRequiredResult):
            return answer
        return created(answer) if isinstance(answer, CallTask) else call_result(answer, context.protocol_version)


@cache
def _parts() -> tuple[CarryOut, CallResult]:
    """What the first answer does without; it is out before this is imported."""
    from gleitzeit.mcp_server.dispatch import carry_out
    from gleitzeit.mcp_server.rendering.result import call_result

    return carry_out, call_result


def _plain_params(context: Context) -> types.CallToolRequestParams | None:
    """What is called, where the SDK would look for nothing else; it finds the words for what is wrong."""
    if (
        context.method != _CALL
        or context.request_id is None
        or context.protocol_version not in _STRAIGHT
        or context.session.client_params is None  # nobody has shaken hands
    ):
        return None
    try:
        return types.CallToolRequestParams.model_validate(context.params or {}, by_name=False)
    except ValidationError:
        return None
