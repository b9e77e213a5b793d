"""Language models of Ollama servers as `llm/*` methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gleitzeit_ollama.provider import OllamaProvider

if TYPE_CHECKING:  # what few need is imported when it is named
    from gleitzeit_ollama.pool.hub import OllamaHub

__all__ = ["OllamaHub", "OllamaProvider"]


def __getattr__(name: str) -> Any:
    if name == "OllamaHub":
        from gleitzeit_ollama.pool.hub import OllamaHub

        return OllamaHub
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
