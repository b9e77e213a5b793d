"""A provider for tests: a step that takes its time, and notes that it was taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

PROTOCOL = Protocol(
    id="steps/v1",
    methods={
        "take": {
            "description": "Take a step",
            "parameters": {
                "number": {"type": "integer", "required": True},
                "seconds": {"type": "number", "required": True},
                "journal": {"type": "string", "required": True},
            },
        }
    },
)


class Steps(ProtocolProvider):
    """Serves steps/take."""

    def __init__(self) -> None:
        super().__init__("steps", "steps/v1")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Take one step; the note is written as it ends."""
        await anyio.sleep(parameters["seconds"])
        with Path(parameters["journal"]).open("a", encoding="utf-8") as journal:  # noqa: ASYNC230 - a few bytes
            journal.write(f"{parameters['number']}\n")
        return {"number": parameters["number"]}


def register(registry: ProtocolProviderRegistry) -> None:
    """Enter the provider."""
    registry.register_protocol(PROTOCOL)
    registry.register_provider("steps/v1", Steps())


register(ProtocolProviderRegistry.get_instance())
