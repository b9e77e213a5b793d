"""Language models of an Ollama server as `llm/*` methods."""

from __future__ import annotations

from gleitzeit_ollama.provider import OllamaProvider

__all__ = ["OllamaProvider"]
