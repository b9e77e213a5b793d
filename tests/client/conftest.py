"""Programs that use the client, and a provider for them, as a user has them in a folder."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.core.errors import ProviderError
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry


class Text(ProtocolProvider):
    """Does what the tests of this folder need."""

    def __init__(self) -> None:
        super().__init__("text", "text/v1")
        self.hanging = asyncio.Event()
        self.stopped = asyncio.Event()

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        match method:
            case "text/fail":
                raise ProviderError("it broke", hint="mend it")
            case "text/hang":
                self.hanging.set()
                try:
                    await asyncio.Event().wait()
                finally:
                    self.stopped.set()
            case "text/work":
                await current_task().report_progress(1, 2, "half")
                return {"text": "done"}
            case "text/read":
                return {"text": current_task().path(parameters["path"]).read_text()}
            case _:
                return {"text": parameters["text"].upper()}


class Model(ProtocolProvider):
    """Answers in place of a language model."""

    def __init__(self) -> None:
        super().__init__("model", "llm/v1")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        if parameters["messages"][-1]["content"] == "fail":
            raise ProviderError("no model is loaded")
        return {"response": str(parameters)}


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ProtocolProviderRegistry:
    """The registry of the process, as if it had just started, and an empty home."""
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None)
    monkeypatch.setenv("GLEITZEIT_HOME", str(tmp_path / "home"))
    return ProtocolProviderRegistry.get_instance()


@pytest.fixture
def text(registry: ProtocolProviderRegistry) -> Text:
    provider = Text()
    methods = ["text/upper", "text/fail", "text/hang", "text/work", "text/read"]
    registry.register_protocol(Protocol("text/v1", methods=methods))
    registry.register_provider("text/v1", provider)
    return provider


@pytest.fixture
def model(registry: ProtocolProviderRegistry) -> Model:
    provider = Model()
    registry.register_method_handler("llm/chat", provider)
    return provider
