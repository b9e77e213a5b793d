"""Prompts with fixed names, and completions of their arguments."""

from __future__ import annotations

from collections.abc import Mapping

import mcp_types as types
from mcp.shared.exceptions import MCPError
from tests.conformance.server import rounds
from tests.conformance.server.contents import IMAGE

from gleitzeit.mcp_server.server import Context

_ARGUMENTS: Mapping[str, tuple[str, ...]] = {
    "test_simple_prompt": (),
    "test_prompt_with_arguments": ("arg1", "arg2"),
    "test_prompt_with_embedded_resource": ("resourceUri",),
    "test_prompt_with_image": (),
    "test_input_required_result_prompt": (),
}
_CITIES = ("paris", "park", "party")


async def list_prompts(context: Context, params: types.PaginatedRequestParams | None) -> types.ListPromptsResult:
    """All prompts."""
    prompts = [
        types.Prompt(
            name=name,
            description="For tests",
            arguments=[types.PromptArgument(name=argument, required=True) for argument in arguments],
        )
        for name, arguments in _ARGUMENTS.items()
    ]
    return types.ListPromptsResult(prompts=prompts, ttl_ms=0, cache_scope="private")


async def get_prompt(
    context: Context, params: types.GetPromptRequestParams
) -> types.GetPromptResult | types.InputRequiredResult:
    """The messages of a prompt. Raises `MCPError` for one that there is not."""
    if params.name == "test_input_required_result_prompt":
        return rounds.prompt(params)
    if params.name not in _ARGUMENTS:
        raise MCPError(code=types.INVALID_PARAMS, message=f'unknown prompt "{params.name}"')
    contents = _contents(params.name, params.arguments or {})
    return types.GetPromptResult(messages=[types.PromptMessage(role="user", content=one) for one in contents])


async def complete(context: Context, params: types.CompleteRequestParams) -> types.CompleteResult:
    """Words that begin as the argument does."""
    values = [city for city in _CITIES if city.startswith(params.argument.value)]
    return types.CompleteResult(completion=types.Completion(values=values, total=len(values), has_more=False))


def _contents(name: str, arguments: Mapping[str, str]) -> tuple[types.ContentBlock, ...]:
    if name == "test_prompt_with_arguments":
        return (_text(f"Prompt with arguments: arg1='{arguments.get('arg1')}', arg2='{arguments.get('arg2')}'"),)
    if name == "test_prompt_with_embedded_resource":
        embedded = types.TextResourceContents(
            uri=arguments.get("resourceUri", ""), mime_type="text/plain", text="Embedded resource content for testing."
        )
        resource = types.EmbeddedResource(type="resource", resource=embedded)
        return (resource, _text("Please process the embedded resource above."))
    if name == "test_prompt_with_image":
        return (IMAGE, _text("Please analyze the image above."))
    return (_text("This is a simple prompt for testing."),)


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)
