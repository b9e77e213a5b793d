"""Tools that ask the client while the call goes on, as the handshake era has it."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.shared.message import ServerMessageMetadata
from tests.conformance.server.base import Answer, Run, Tool, missing, parameters, said

from gleitzeit.mcp_server.server import Context

_OPTIONS = ["option1", "option2", "option3"]
PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    },
    "required": ["username", "email"],
}
DEFAULTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    },
}
ENUMS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "untitledSingle": {"type": "string", "enum": _OPTIONS},
        "titledSingle": {
            "type": "string",
            "oneOf": [
                {"const": "value1", "title": "First Option"},
                {"const": "value2", "title": "Second Option"},
                {"const": "value3", "title": "Third Option"},
            ],
        },
        "legacyEnum": {
            "type": "string",
            "enum": ["opt1", "opt2", "opt3"],
            "enumNames": ["Option One", "Option Two", "Option Three"],
        },
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": _OPTIONS}},
        "titledMulti": {
            "type": "array",
            "items": {
                "anyOf": [
                    {"const": "value1", "title": "First Choice"},
                    {"const": "value2", "title": "Second Choice"},
                    {"const": "value3", "title": "Third Choice"},
                ]
            },
        },
    },
}


def _elicits(message: str | None, schema: dict[str, Any]) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        capabilities = context.session.client_capabilities
        if capabilities is None or capabilities.elicitation is None:
            raise missing({"elicitation": {}})
        words = message or str((params.arguments or {})["message"])
        result = await context.session.elicit_form(words, schema, related_request_id=context.request_id)
        return said(f"Elicitation completed: action={result.action}, content={result.content}")

    return run


async def _samples(context: Context, params: types.CallToolRequestParams) -> Answer:
    capabilities = context.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        raise missing({"sampling": {}})
    text = types.TextContent(type="text", text=str((params.arguments or {})["prompt"]))
    request = types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(
            messages=[types.SamplingMessage(role="user", content=text)], max_tokens=100
        )
    )
    metadata = ServerMessageMetadata(related_request_id=context.request_id)
    result = await context.session.send_request(request, types.CreateMessageResult, metadata=metadata)
    return said(f"LLM response: {getattr(result.content, 'text', '')}")


TOOLS = (
    Tool("test_elicitation", "Asks who the user is", _elicits(None, PERSON), parameters(message={"type": "string"})),
    Tool("test_elicitation_sep1034_defaults", "Asks with defaults", _elicits("Please confirm", DEFAULTS)),
    Tool("test_elicitation_sep1330_enums", "Asks with choices", _elicits("Please choose", ENUMS)),
    Tool("test_sampling", "Asks the client's model", _samples, parameters(prompt={"type": "string"})),
)
