"""Tools that say something before they answer: log messages, progress, and that lists have changed."""

from __future__ import annotations

import mcp_types as types
from mcp.server.subscriptions import PromptsListChanged, ServerEvent, ToolsListChanged
from tests.conformance.server.base import Answer, Run, Tool, missing, said

from gleitzeit.mcp_server.server import Context


async def _log(context: Context, text: str) -> None:
    # The one way to send a log message of which the SDK sees to it that the client has asked for it.
    send = context.session.send_log_message  # pyright: ignore[reportDeprecated]
    await send("info", text, related_request_id=context.request_id)


async def _logged(context: Context, params: types.CallToolRequestParams) -> Answer:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await _log(context, text)
    return said("logged")


async def _progressed(context: Context, params: types.CallToolRequestParams) -> Answer:
    for progress in (0, 50, 100):
        await context.session.report_progress(progress, 100, None)
    return said("done")


async def _undeclared(context: Context, params: types.CallToolRequestParams) -> Answer:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise missing({"sampling": {}})
    return said("the client can sample")


async def _resumed(context: Context, params: types.CallToolRequestParams) -> Answer:
    return said("there is nothing to come back for")


def _changes(event: ServerEvent) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        await context.lifespan_context.changes.publish(event)
        return said("told")

    return run


TOOLS = (
    Tool("test_tool_with_logging", "Sends three log messages", _logged),
    Tool("test_logging_tool", "Sends log messages where the client wants them", _logged),
    Tool("test_tool_with_progress", "Reports progress", _progressed),
    Tool("test_missing_capability", "Needs a client that samples", _undeclared),
    Tool("test_reconnection", "Answers on the stream that it was asked on", _resumed),
    Tool("test_trigger_tool_change", "Says that the tools have changed", _changes(ToolsListChanged())),
    Tool("test_trigger_prompt_change", "Says that the prompts have changed", _changes(PromptsListChanged())),
)
