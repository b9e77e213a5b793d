"""An application with a registry, a home and a root of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

TEXT = Protocol(
    "text/v1",
    methods=[
        MethodSpec("text/upper", parameters={"type": "object", "properties": {"text": {"type": "string"}}}),
        MethodSpec("text/run", code=("program",)),
        "text/call",
        "text/roots",
    ],
)


class Text(ProtocolProvider):
    """Does what the tests of this folder need."""

    def __init__(self) -> None:
        super().__init__("text", "text/v1")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        match method:
            case "text/upper":
                return {"text": parameters["text"].upper()}
            case "text/call":
                return await current_task().call(parameters["method"], parameters["parameters"])
            case "text/roots":
                return {"roots": [str(root) for root in current_task().roots]}
            case _:
                return parameters


@pytest.fixture
def registry() -> ProtocolProviderRegistry:
    registry = ProtocolProviderRegistry()
    registry.register_protocol(TEXT)
    registry.register_provider("text/v1", Text())
    return registry


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
async def application(registry: ProtocolProviderRegistry, home: Path) -> AsyncGenerator[Application]:
    config = load_configuration(None, {"GLEITZEIT_HOME": str(home)}, {"policy.deny": ["mcp/servers"]})
    async with open_application(config, registry=registry) as application:
        yield application
