"""`${VAR}` in a server's settings, filled from the environment when the server is started."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gleitzeit.core.environment import fill
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.transports import SCHEMES
from gleitzeit_mcp.config import Server


def fill_server(server: Server, environment: Mapping[str, str]) -> Server:
    """The server with every variable of its settings filled in.

    Raises `ConfigurationError` naming the server, the key and the variable that is not set.
    """

    def filled(key: str, text: str) -> str:
        return fill(text, environment, f'server "{server.name}": {key}')

    def each(key: str, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(filled(f"{key}[{index}]", text) for index, text in enumerate(texts))

    def optional(key: str, text: str | None) -> str | None:
        return None if text is None else filled(key, text)

    oauth = server.oauth
    if oauth is not None:
        oauth = oauth.model_copy(
            update={
                "client_id": optional("oauth.client_id", oauth.client_id),
                "client_secret": optional("oauth.client_secret", oauth.client_secret),
                "issuer": optional("oauth.issuer", oauth.issuer),
                "scopes": each("oauth.scopes", oauth.scopes),
            }
        )
    command = server.command
    return server.model_copy(
        update={
            "command": filled("command", command) if isinstance(command, str) else each("command", command),
            "args": each("args", server.args),
            "env": {name: filled(f"env.{name}", text) for name, text in server.env.items()},
            "headers": {name: filled(f"headers.{name}", text) for name, text in server.headers.items()},
            "url": optional("url", server.url),
            "working_dir": optional("working_dir", server.working_dir),
            "auth_token": optional("auth_token", server.auth_token),
            "oauth": oauth,
            "roots": None if server.roots is None else each("roots", server.roots),
        }
    )


def check_address(server: Server) -> None:
    """Raise `ConfigurationError` where the url of a server whose variables are filled in can lead nowhere."""
    if not server.is_address(server.url or ""):
        wanted = " or ".join(f"{scheme}://" for scheme in SCHEMES[server.connection_type])
        raise ConfigurationError(
            f'server "{server.name}": its url is not an address of connection_type {server.connection_type}',
            hint=f"it begins with {wanted}, and goes on with the host",
        )
