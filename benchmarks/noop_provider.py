"""A provider whose methods do nothing: what their calls cost is what Gleitzeit around them costs."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

NOOP = "noop/do"
ONCE = "noop/once"
PROTOCOL = Protocol(
    "noop/v1",
    methods=[
        MethodSpec(name=NOOP, description="Do nothing.", read_only=True),
        MethodSpec(name=ONCE, description="Do nothing, of which nobody may know that it could be done again."),
    ],
)


class NoopProvider(ProtocolProvider):
    """Serves both."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Do nothing."""
        return {"done": True}


registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(PROTOCOL)
registry.register_provider(PROTOCOL.id, NoopProvider("noop", PROTOCOL.id))
