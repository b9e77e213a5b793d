"""Spans of requests, where there is somebody to look at them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext

from gleitzeit.mcp_server.face import Face
from gleitzeit.providers.tracing import traced

_OF_THE_PROTOCOL = "io.modelcontextprotocol/"
_PROGRESS = "progress_token"  # as the SDK spells it


class Traced(ServerMiddleware[Face]):
    """Leaves the SDK's spans out where nobody records any, and no trace has come with a request that could go on."""

    def __init__(self, spans: ServerMiddleware[Face]) -> None:
        self._spans = spans

    async def __call__(self, ctx: ServerRequestContext[Face, Any], call_next: CallNext) -> HandlerResult:
        """What the request is answered."""
        if _may_name_a_trace(ctx.meta) or traced():
            return await self._spans(ctx, call_next)
        return await call_next(ctx)


def _may_name_a_trace(meta: Mapping[str, Any] | None) -> bool:
    return any(not (key == _PROGRESS or key.startswith(_OF_THE_PROTOCOL)) for key in meta or ())
