"""`llm/vision`: what a model says of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit_ollama.methods.asked import CHAT_PATH, Asked, text_request
from gleitzeit_ollama.methods.generate import PROMPT_SCHEMA
from gleitzeit_ollama.methods.images import BATCH_IMAGES_SCHEMA, image_list
from gleitzeit_ollama.methods.messages import MESSAGES_SCHEMA, wire_messages
from gleitzeit_ollama.methods.parameters import parameter_schema
from gleitzeit_ollama.methods.prefixes import message_prefixes
from gleitzeit_ollama.methods.texts import TEXT_RETURNS, TEXT_SCHEMA
from gleitzeit_ollama.methods.wording import prompt_text
from gleitzeit_ollama.settings import OllamaSettings

VISION = "llm/vision"

_OWN: Mapping[str, Any] = {
    "images": BATCH_IMAGES_SCHEMA,
    "messages": {**MESSAGES_SCHEMA, "description": "The conversation; the pictures belong to its last user message."},
    "prompt": {**PROMPT_SCHEMA, "description": "What is asked of the pictures, in place of messages."},
}


def vision_spec(models: Mapping[str, str]) -> MethodSpec:
    """`llm/vision` for a configuration with these model names."""
    one_of = [{"required": ["messages"]}, {"required": ["prompt"]}]
    return MethodSpec(
        VISION,
        "Describe images, or answer what is asked of pictures, with a local vision model (Ollama); "
        "a list of prompts gives `results`.",
        parameter_schema(VISION, models, {**_OWN, **TEXT_SCHEMA}, ("images",), oneOf=one_of),
        {"type": "object", "properties": TEXT_RETURNS},
        idempotent=True,
        capabilities=("streaming", "batch", "caching"),
    )


def vision_request(parameters: Mapping[str, Any], settings: OllamaSettings) -> Asked:
    """The request that a question about images makes, which are in base64.

    Raises `ValidationError` for what a schema cannot say.
    """
    if "prompt" in parameters:
        messages = [{"role": "user", "content": prompt_text(VISION, parameters["prompt"])}]
    else:
        messages = wire_messages(VISION, parameters["messages"])
    images = image_list(VISION, parameters.get("images"))
    if not images:  # as in a batch whose item has an empty list of its own
        raise ValidationError(f"{VISION}: there are no images", hint="llm/chat answers a question without any")
    seen = _with_images(messages, images)
    prompt = {"messages": seen}
    return text_request(VISION, CHAT_PATH, parameters, settings, prompt, prefix=message_prefixes(seen))


def _with_images(messages: Sequence[dict[str, Any]], images: Sequence[str]) -> list[dict[str, Any]]:
    last = next((index for index in reversed(range(len(messages))) if messages[index]["role"] == "user"), None)
    if last is None:
        raise ValidationError(f"{VISION}: no message is the user's", hint="ask something of the images, by a message")
    seen = {**messages[last], "images": [*messages[last].get("images", ()), *images]}
    return [*messages[:last], seen, *messages[last + 1 :]]
