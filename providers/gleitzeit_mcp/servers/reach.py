"""Which transport leads to a server."""

from __future__ import annotations

from gleitzeit_mcp.config import Server
from gleitzeit_mcp.processes.guard import Guard
from gleitzeit_mcp.transports.base import Transport


async def transport_to(server: Server, guard: Guard, configured: Server | None = None) -> Transport:
    """The way to a server whose variables are filled in; `configured` is the server before that.

    `guard` watches over what is started.

    Raises `ConfigurationError` where its command cannot be found, or where its url or a header is no good.
    """
    if server.connection_type == "stdio":
        from gleitzeit_mcp.processes.child import Child
        from gleitzeit_mcp.processes.command import find_command

        return Child(await find_command(server), guard)
    from gleitzeit_mcp.servers.far import far_transport  # imports the HTTP client, which takes long

    return far_transport(server, configured)
