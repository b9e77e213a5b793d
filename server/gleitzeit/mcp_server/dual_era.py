"""`DualEraServer`: the SDK's server, which says of itself what is true in the era that it is asked in."""

from __future__ import annotations

from typing import Any, TypeVar

from mcp.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions

State = TypeVar("State")


class DualEraServer(Server[State]):
    """Tells clients that begin with a handshake of changes too, and has extensions only for those that do not."""

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What a handshake is answered with: the SDK asks for it without options, wherever a session begins."""
        told = NotificationOptions(prompts_changed=True, resources_changed=True, tools_changed=True)
        return super().create_initialization_options(
            notification_options or told, experimental_capabilities, extensions or {}
        )
