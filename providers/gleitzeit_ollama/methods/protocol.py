"""The protocol `llm/v1`: all methods there are, and the request that each method of text makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gleitzeit.core.protocol import Protocol
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.chat import CHAT, chat_request, chat_spec
from gleitzeit_ollama.methods.embeddings import EMBEDDINGS, embeddings_spec
from gleitzeit_ollama.methods.generate import GENERATE, generate_request, generate_spec
from gleitzeit_ollama.methods.models import MODELS, MODELS_SPEC
from gleitzeit_ollama.methods.vision import VISION, vision_request, vision_spec
from gleitzeit_ollama.settings import OllamaSettings

Request = Callable[[Mapping[str, Any], OllamaSettings], Asked]

TEXT_REQUESTS: Mapping[str, Request] = {CHAT: chat_request, GENERATE: generate_request, VISION: vision_request}


def llm_protocol(models: Mapping[str, str]) -> Protocol:
    """The protocol for a configuration with these model names; without a default, calls have to name a model."""
    methods = {
        CHAT: chat_spec(models),
        GENERATE: generate_spec(models),
        VISION: vision_spec(models),
        EMBEDDINGS: embeddings_spec(models),
        MODELS: MODELS_SPEC,
    }
    return Protocol("llm/v1", "Language models", "1.0.0", "Language models that run on your own machines", methods)
