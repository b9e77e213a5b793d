"""The headers that every request to a server carries."""

from __future__ import annotations

import re
from collections.abc import Mapping

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server

_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?|")


def fixed_headers(server: Server) -> Mapping[str, str]:
    """Its headers, and its token as `Authorization` where they have none of their own.

    Raises `ConfigurationError` naming the header, and not its value, where it could not be sent as it is.
    """
    headers = dict(server.headers)
    if server.auth_token is not None and "authorization" not in {name.lower() for name in headers}:
        _check(server, "auth_token", server.auth_token)
        headers["Authorization"] = f"Bearer {server.auth_token}"
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise ConfigurationError(f'server "{server.name}": headers: a header cannot be named {name!r}')
        _check(server, f"headers.{name}", value)
    return headers


def _check(server: Server, key: str, value: str) -> None:
    if not _VALUE.fullmatch(value):
        raise ConfigurationError(
            f'server "{server.name}": {key} holds a character that a header cannot carry',
            hint="look for a line break or a space at its end, or for letters outside of ASCII",
        )
