"""The section `mcp` of the configuration: which servers there are, and what each is allowed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from ipaddress import ip_address
from itertools import combinations, product
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from gleitzeit.core.data import is_mapping
from gleitzeit.core.environment import shell_word
from gleitzeit.core.transports import SCHEMES, TRANSPORTS, transport_of_url

ConnectionType = Literal["stdio", "http", "sse", "websocket"]
Mode = Literal["auto", "legacy"]

# What hosts write beside command, args, env, url and headers, and what it is called here.
_HOST_KEYS = {"type": "connection_type", "transport": "connection_type", "cwd": "working_dir"}
_HOST_ONLY = frozenset({"disabled", "enabled", "autoApprove", "alwaysAllow"})
_PATTERNS = ("enabled_tools", "idempotent_tools", "disabled_tools")


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


Text = Annotated[str, BeforeValidator(_as_text)]
ServerName = Annotated[str, Field(pattern=r"^\S(.{0,62}\S)?$")]
Globs = tuple[str, ...]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class OAuth(_Section):
    """How a server's tokens are got: by a person who logs in once, or for this machine by its own credentials.

    `client_id` may be the https URL of a client metadata document. `issuer` is the authorization server that
    `client_secret` belongs to: it is sent nowhere else, for a server must not say where it goes.
    """

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    issuer: str | None = None
    scopes: tuple[str, ...] = ()
    redirect_port: Annotated[int, Field(ge=0, le=65535)] = 0

    @model_validator(mode="after")
    def _check_credentials(self) -> Self:
        if self.client_secret is not None and self.client_id is None:
            raise ValueError("oauth: client_secret needs the client_id that it belongs to")
        if self.grant == "client_credentials" and (self.client_id is None or self.client_secret is None):
            raise ValueError("oauth: the grant client_credentials needs client_id and client_secret")
        if self.client_secret is not None and self.issuer is None:
            raise ValueError(
                "oauth: client_secret needs the issuer that it belongs to; write the address of the authorization "
                "server that gave it, as in issuer: https://login.example.com"
            )
        if self.issuer is not None and "${" not in self.issuer:
            self.check_issuer()
        return self

    def check_issuer(self) -> None:
        """Raise `ValueError` where the issuer, its variables filled in, is no address that a secret may be sent to."""
        parts = urlsplit(self.issuer or "")
        secure = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(parts.hostname or ""))
        if not (secure and parts.hostname):
            raise ValueError("oauth: issuer is not an https address; http is for an issuer on this machine alone")


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _as_oauth(value: Any) -> Any:
    if isinstance(value, bool):
        return {} if value else None
    return value


class Server(_Section):
    """One downstream server. `timeout` bounds its start and each call, in seconds; patterns are globs of tool names.

    `env`, `headers` and `auth_token` never show in its `repr`, for they hold secrets.
    """

    name: ServerName
    connection_type: ConnectionType = "stdio"
    command: str | tuple[str, ...] = ()
    args: tuple[Text, ...] = ()
    url: str | None = None
    env: dict[str, Text] = Field(default_factory=dict, repr=False)
    working_dir: str | None = None
    headers: dict[str, Text] = Field(default_factory=dict, repr=False)
    auth_token: str | None = Field(default=None, repr=False)
    oauth: Annotated[OAuth | None, BeforeValidator(_as_oauth)] = None
    tool_prefix: str = ""
    enabled_tools: Globs | None = None
    disabled_tools: Globs = ()
    idempotent_tools: Globs = ()
    roots: tuple[str, ...] | None = None
    auto_start: bool = True
    restart_on_failure: bool = True
    max_restarts: Annotated[int, Field(ge=0, le=1000)] = 5
    timeout: Annotated[float, Field(gt=0, le=31_536_000)] | None = None
    mode: Mode = "auto"

    @model_validator(mode="before")
    @classmethod
    def _infer_connection_type(cls, values: Any) -> Any:
        if not is_mapping(values):
            return values
        url = values.get("url")
        if url is None or values.get("command"):
            return values
        return {"connection_type": transport_of_url(url) if isinstance(url, str) else "http", **values}

    @model_validator(mode="after")
    def _check_address(self) -> Self:
        if self.command and self.url:
            raise ValueError(f'server "{self.name}" has a command and a url; keep the one that leads to it')
        if self.connection_type == "stdio" and self.url:
            raise ValueError(
                f'server "{self.name}" has a url, and connection_type stdio takes a command; write that, '
                f"or connection_type {transport_of_url(self.url)}"
            )
        if self.connection_type == "stdio" and not self.command:
            raise ValueError(f'server "{self.name}" has no command; say how it is started, or give a url')
        if self.connection_type != "stdio" and not self.url:
            raise ValueError(f'server "{self.name}" has no url, which connection_type {self.connection_type} needs')
        return self

    @model_validator(mode="after")
    def _check_headers(self) -> Self:
        given = [key for key in ("headers", "auth_token") if getattr(self, key)]
        if self.connection_type == "stdio" and given:
            raise ValueError(
                f'server "{self.name}": {" and ".join(given)} need a url; secrets of a command belong in env'
            )
        return self

    @model_validator(mode="after")
    def _check_oauth(self) -> Self:
        if self.oauth is None:
            return self
        if self.connection_type not in ("http", "sse"):
            raise ValueError(f'server "{self.name}": oauth is for connection_type http and sse')
        if self.auth_token is not None or "authorization" in {name.lower() for name in self.headers}:
            raise ValueError(f'server "{self.name}": oauth brings the token; leave out auth_token and Authorization')
        return self

    @property
    def address(self) -> str:
        """Where it is: its URL as it is written, or the command line that starts it in a shell."""
        if self.connection_type != "stdio":
            return self.url or ""
        if not isinstance(self.command, str):
            return " ".join(map(shell_word, (*self.command, *self.args)))
        if not self.args and "$" not in self.command:  # it is a line for a shell already
            return self.command
        words = [self.command] if self.args else shlex.split(self.command)
        return " ".join(map(shell_word, (*words, *self.args)))

    def is_address(self, url: str) -> bool:
        """Whether a URL, with its variables filled in, is one of its `connection_type`."""
        try:
            parts = urlsplit(url)
            fits = parts.port is None or parts.port > 0
        except ValueError:
            return False
        return fits and parts.scheme.lower() in SCHEMES[self.connection_type] and bool(parts.hostname)

    @property
    def addresses(self) -> tuple[str, ...]:
        """What the names of its tools begin with as methods: its prefix, and its name."""
        return tuple(dict.fromkeys(address for address in (self.tool_prefix, self.name + ".") if address))

    def offers(self, tool: str) -> bool:
        """Whether the configuration lets the tool be called."""
        enabled = self.enabled_tools is None or self._matches(self.enabled_tools, tool)
        return enabled and not self._matches(self.disabled_tools, tool)

    def declares_idempotent(self, tool: str) -> bool:
        """Whether the configuration says that the tool may be called twice."""
        return self._matches(self.idempotent_tools, tool)

    def idle_patterns(self, tools: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The patterns that fit none of all its tools, each with its key: most likely they are misspelt."""
        known = tuple(tools)
        for key in _PATTERNS if known else ():
            patterns: Globs = getattr(self, key) or ()
            yield from (
                (key, pattern) for pattern in patterns if not any(self._matches((pattern,), tool) for tool in known)
            )

    def _matches(self, patterns: Globs, tool: str) -> bool:
        names = {tool, self.tool_prefix + tool}
        return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


class HubConfig(_Section):
    """The section `mcp`. The hosts' own map `mcpServers: {name: {command, args, env}}` is read as more `servers`.

    `sampling` says who answers a server that asks for a model; without it such requests are refused.
    """

    servers: tuple[Server, ...] = ()
    roots: tuple[str, ...] = ()
    sampling: Literal["ollama"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _read_host_servers(cls, values: Any) -> Any:
        if not is_mapping(values) or "mcpServers" not in values:
            return values
        section = dict(values)
        servers = _from_hosts(section.pop("mcpServers"))
        return {**section, "servers": [*(section.get("servers") or ()), *servers]}

    @model_validator(mode="after")
    def _check_names(self) -> Self:
        for one, other in combinations(self.servers, 2):
            _check_pair(one, other)
        return self


def _from_hosts(servers: Any) -> list[Any]:
    if not is_mapping(servers):
        raise ValueError(  # pydantic gathers ValueErrors alone
            "mcpServers is a mapping from a server's name to its command, args and env"
        )
    return [_from_host(name, entry) for name, entry in servers.items() if not _is_disabled(entry)]


def _is_disabled(entry: Any) -> bool:
    return is_mapping(entry) and (entry.get("disabled") is True or entry.get("enabled") is False)


def _from_host(name: str, entry: Any) -> Any:
    if not is_mapping(entry):
        raise ValueError(  # as above
            f'mcpServers: "{name}" is a mapping with command, args and env, or a url'
        )
    server = {_HOST_KEYS.get(key, key): value for key, value in entry.items() if key not in _HOST_ONLY}
    connection_type = server.get("connection_type")
    if isinstance(connection_type, str):
        server["connection_type"] = TRANSPORTS.get(connection_type, connection_type)
    return {"name": name, **server}


def _check_pair(one: Server, other: Server) -> None:
    if one.name == other.name:
        raise ValueError(f'two servers are named "{one.name}"; give each its own name')
    if one.tool_prefix and one.tool_prefix == other.tool_prefix:
        raise ValueError(
            f'servers "{one.name}" and "{other.name}" share the tool_prefix "{one.tool_prefix}"; give each its own'
        )
    pairs = ((one, other), (other, one))
    for left, right in pairs:
        if left.tool_prefix == right.name + ".":
            raise ValueError(
                f'the tool_prefix "{left.tool_prefix}" of server "{left.name}" is the name of server "{right.name}"; '
                "change one of them"
            )
    for left, right in pairs:
        _check_addresses(left, right)


def _check_addresses(left: Server, right: Server) -> None:
    """A tool of the one must not be able to have the very name of a tool of the other."""
    for shorter, longer in product(left.addresses, right.addresses):
        if longer.startswith(shorter):
            raise ValueError(
                f'tools of server "{right.name}" are called as "{longer}…", and those of server "{left.name}" as '
                f'"{shorter}…", so that one could pass for another; change a name or tool_prefix, best to end in a dot'
            )
