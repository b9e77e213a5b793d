"""`${VAR}` in a server's settings, filled from the environment when the server is started."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server

_REFERENCE = re.compile(r"\$\$|\$\{(?:env:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}")


def fill(text: str, environment: Mapping[str, str]) -> str:
    """`text` with each `${VAR}` and `${VAR:-default}` replaced and each `$$` made `$`.

    Raises `KeyError` naming the first variable that is not set and has no default.
    """

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return "$"
        default = match["default"]
        return environment[name] if default is None else environment.get(name) or default

    return _REFERENCE.sub(value, text)


def fill_server(server: Server, environment: Mapping[str, str]) -> Server:
    """The server with every variable of its settings filled in.

    Raises `ConfigurationError` naming the server, the key and the variable that is not set.
    """

    def filled(key: str, text: str) -> str:
        try:
            return fill(text, environment)
        except KeyError as missing:
            raise _unset(server.name, key, str(missing.args[0])) from None

    def each(key: str, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(filled(f"{key}[{index}]", text) for index, text in enumerate(texts))

    def optional(key: str, text: str | None) -> str | None:
        return None if text is None else filled(key, text)

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
            "roots": None if server.roots is None else each("roots", server.roots),
        }
    )


def _unset(server: str, key: str, variable: str) -> ConfigurationError:
    return ConfigurationError(
        f'server "{server}": {key} needs the environment variable {variable}, which is not set',
        hint=f"set {variable} where Gleitzeit is started, or write ${{{variable}:-default}}",
    )
