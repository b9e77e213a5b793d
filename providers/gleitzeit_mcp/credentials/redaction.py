"""Takes the secrets of a server's settings out of any text."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

from gleitzeit_mcp.config import Server

_HIDDEN = "***"
_SHORTEST = 4
_SECRET_NAME = re.compile(
    r"token|key|secret|passw|passphrase|auth|credential|bearer|cookie|session|signature", re.IGNORECASE
)
_VARIABLE = re.compile(r"\$\$|\$\{(?:env:)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[^}]*\}")
_IN_A_PATH = "/:@!$&'()*+,;=~"
# What everybody knows of a machine; without it an error could not even name a file.
_NO_SECRETS = frozenset(
    "APPDATA HOME LANG LOCALAPPDATA LOGNAME PATH PWD SHELL TEMP TMP TMPDIR USER USERNAME USERPROFILE".split()
)


def redactor(
    server: Server, configured: Server | None = None, environment: Mapping[str, str] = os.environ
) -> Callable[[str], str]:
    """What puts `***` in the place of every secret of a server whose variables are filled in.

    `configured` is the server before that: what it takes from `environment` is secret, wherever it stands.
    """
    variables = () if configured is None else _from_variables(configured, environment)
    return _hiding((*_secrets(server, configured), *variables))


def hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    """What puts `***` in the place of these secrets, in whichever form they are commonly written."""
    return _hiding(secrets)


def _hiding(secrets: Iterable[str]) -> Callable[[str], str]:
    found = {form for secret in secrets for form in _forms(secret) if len(form) >= _SHORTEST}
    if not found:
        return str
    # The longest first, so that no part of one is left behind by another that it contains.
    pattern = re.compile("|".join(re.escape(form) for form in sorted(found, key=len, reverse=True)))
    return lambda text: pattern.sub(_HIDDEN, text)


def _forms(secret: str) -> Iterator[str]:
    yield secret
    yield secret.strip()
    yield from (line.strip() for line in secret.splitlines())
    yield quote(secret, safe="")
    yield quote(secret, safe=_IN_A_PATH)
    yield quote_plus(secret)
    yield json.dumps(secret)[1:-1]
    yield repr(secret)[1:-1]


def _secrets(server: Server, configured: Server | None) -> Iterator[str]:
    for name, value in server.env.items():
        if _SECRET_NAME.search(name) or (configured and "${" in configured.env.get(name, "")):
            yield value
        yield from _of_url(value)
    for value in server.headers.values():
        yield value
        yield value.partition(" ")[2]  # without the scheme before it
    if server.auth_token is not None:
        yield server.auth_token
    yield from _of_url(server.url or "")
    yield from _of_arguments((*_words(server.command), *server.args))
    if server.oauth is not None and server.oauth.client_secret is not None:
        yield server.oauth.client_secret


def _from_variables(configured: Server, environment: Mapping[str, str]) -> Iterator[str]:
    for text in _texts(configured):
        for name in (match["name"] for match in _VARIABLE.finditer(text)):
            if name is not None and name.upper() not in _NO_SECRETS:
                yield environment.get(name, "")


def _texts(server: Server) -> Iterator[str]:
    """What of its settings may hold secrets, which the folders that it works in do not."""
    yield from (*_words(server.command), *server.args, *server.env.values(), *server.headers.values())
    yield from (server.url or "", server.auth_token or "")
    if server.oauth is not None:
        yield from (server.oauth.client_id or "", server.oauth.client_secret or "", server.oauth.issuer or "")
        yield from server.oauth.scopes


def _words(command: str | tuple[str, ...]) -> Iterable[str]:
    return command.split() if isinstance(command, str) else command


def _of_arguments(arguments: Iterable[str]) -> Iterator[str]:
    """What follows an option that is named like a secret, and what addresses hold."""
    expected = False
    for argument in arguments:
        option, has_value, value = argument.partition("=")
        if expected and not argument.startswith("-"):
            yield argument
        expected = argument.startswith("-") and not has_value and bool(_SECRET_NAME.search(argument))
        if has_value and _SECRET_NAME.search(option) and "://" not in option:
            yield value
        yield from _of_url(value if has_value and "://" in value else argument)


def _of_url(text: str) -> Iterator[str]:
    if "://" not in text:
        return
    try:
        parts = urlsplit(text)
        query = parse_qsl(parts.query)
    except ValueError:
        return
    userinfo = parts.netloc.rpartition("@")[0]
    if userinfo:
        user, _, password = userinfo.partition(":")
        yield from (userinfo, password, unquote(password))
        yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        if not password:
            yield user  # a token alone
    yield from (value for _, value in query)
