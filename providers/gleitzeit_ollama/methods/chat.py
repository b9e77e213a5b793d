"""`llm/chat`: what it takes and returns, and the request to Ollama that its parameters make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list
from gleitzeit.core.protocol import MethodSpec
from gleitzeit_ollama.methods.asked import CHAT_PATH, Asked, text_request
from gleitzeit_ollama.methods.messages import MESSAGES_SCHEMA, wire_messages
from gleitzeit_ollama.methods.parameters import parameter_schema
from gleitzeit_ollama.methods.prefixes import message_prefixes
from gleitzeit_ollama.methods.texts import TEXT_RETURNS, TEXT_SCHEMA
from gleitzeit_ollama.settings import OllamaSettings

CHAT = "llm/chat"

_TOOLS: Mapping[str, Any] = {
    "tools": {
        "type": ["array", "string"],
        "items": {"type": ["object", "string"]},
        "description": "Functions that the model may ask for, as {type: function, function: {name, parameters}}; "
        'or "mcp", or names such as "mcp/tool.fs.*": tools of MCP servers, which are called until there is an answer.',
    },
    "max_steps": {
        "type": "integer",
        "minimum": 1,
        "maximum": 50,
        "default": 8,
        "description": "How often the model may be asked while it calls tools of MCP servers.",
    },
}

_RETURNS: Mapping[str, Any] = {
    **TEXT_RETURNS,
    "message": {"type": "object", "description": "The answer as a message, to go on with."},
    "tool_calls": {"type": "array", "items": {"type": "object"}, "description": "What the model asks to be called."},
    "steps": {"type": "integer", "description": "How often the model was asked, where it had tools of MCP servers."},
    "calls": {"type": "array", "items": {"type": "object"}, "description": "The tools that were called, in order."},
}


def chat_spec(models: Mapping[str, str]) -> MethodSpec:
    """`llm/chat` for a configuration with these model names."""
    return MethodSpec(
        CHAT,
        "Answer a conversation with a local language model (Ollama); a list of conversations gives `results`.",
        parameter_schema(CHAT, models, {"messages": MESSAGES_SCHEMA, **TEXT_SCHEMA, **_TOOLS}, ("messages",)),
        {"type": "object", "properties": _RETURNS},
        idempotent=True,
        capabilities=("streaming", "batch", "caching"),
        calls=(CHAT, "mcp/tools/list", "mcp/tool.*"),
    )


def chat_request(parameters: Mapping[str, Any], settings: OllamaSettings) -> Asked:
    """The request that one conversation makes, whose images are in base64 and whose tools are functions.

    Raises `ValidationError` for what a schema cannot say.
    """
    messages = wire_messages(CHAT, parameters["messages"])
    tools = parameters.get("tools") or None
    prompt = {"messages": messages, "tools": tools if is_list(tools) else None}
    prefix = message_prefixes(messages, prompt["tools"])
    return text_request(CHAT, CHAT_PATH, parameters, settings, prompt, prefix=prefix, keeps=("message",))
