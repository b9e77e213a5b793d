"""Tools that answer at once, each with another kind of content."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from tests.conformance.server.base import Answer, Run, Tool, parameters, said

from gleitzeit.mcp_server.server import Context

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
WAV = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="

IMAGE = types.ImageContent(type="image", data=PNG, mime_type="image/png")
SCHEMA_2020_12: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}


def _embedded(uri: str, mime_type: str, text: str) -> types.EmbeddedResource:
    resource = types.TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return types.EmbeddedResource(type="resource", resource=resource)


def _always(*content: types.ContentBlock, is_error: bool = False) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        return types.CallToolResult(content=list(content), is_error=is_error)

    return run


def _text(text: str) -> types.TextContent:
    return types.TextContent(type="text", text=text)


async def _greet(context: Context, params: types.CallToolRequestParams) -> Answer:
    return said(f"Hello, {(params.arguments or {}).get('name', 'you')}!")


async def _headed(context: Context, params: types.CallToolRequestParams) -> Answer:
    return said(f"region: {(params.arguments or {}).get('region')}")


TOOLS = (
    Tool("test_simple_text", "Answers with a text", _always(_text("This is a simple text response for testing."))),
    Tool("test_image_content", "Answers with an image", _always(IMAGE)),
    Tool(
        "test_audio_content",
        "Answers with a sound",
        _always(types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")),
    ),
    Tool(
        "test_embedded_resource",
        "Answers with a resource",
        _always(_embedded("test://embedded-resource", "text/plain", "This is an embedded resource content.")),
    ),
    Tool(
        "test_multiple_content_types",
        "Answers with a text, an image and a resource",
        _always(
            _text("Multiple content types test:"),
            IMAGE,
            _embedded("test://mixed-content-resource", "application/json", '{"test": "data", "value": 123}'),
        ),
    ),
    Tool(
        "test_error_handling",
        "Fails",
        _always(_text("This tool intentionally returns an error for testing"), is_error=True),
    ),
    Tool("json_schema_2020_12_tool", "Has a schema of many keywords", _always(_text("{}")), SCHEMA_2020_12),
    Tool("greet", "Greets", _greet, parameters(name={"type": "string"})),
    Tool(
        "test_custom_header",
        "Has a parameter that is a header too",
        _headed,
        {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
    ),
)
