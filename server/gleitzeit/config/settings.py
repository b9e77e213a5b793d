"""What can be configured: the sections, their defaults and types."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from gleitzeit.config.redaction import redacted
from gleitzeit.core.data import is_mapping
from gleitzeit.core.scopes import Scope

Globs = tuple[str, ...]

HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")]
Origin = Annotated[str, Field(pattern=r"^https?://[^/\s?#@*]+$")]

DATABASE = "gleitzeit.db"
"""The database in the home folder, where no other is named."""

MEMORY = "memory"
"""What stands in place of a database where nothing is to outlive the process."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


class Files(_Section):
    """The only folders that paths in requests may lie in."""

    roots: tuple[Path, ...] = ()


class Workflows(_Section):
    """Folders whose workflow files are saved workflows of every caller."""

    directories: tuple[Path, ...] = ()


class Keep(_Section):
    """How long runs that are over are kept: for so many days, and no more than the last so many; null for ever."""

    days: Annotated[float, Field(gt=0, le=36_500)] | None = 30.0
    runs: Annotated[int, Field(ge=1)] | None = 10_000


class EngineSettings(_Section):
    """How runs are carried out and kept: in the file `database`, or in `memory` for as long as the process lives.

    With `durability` full whatever was accepted survives a power cut, with normal only the end of the process.
    """

    kind: Literal["local", "temporal"] = "local"
    database: str | None = None
    durability: Literal["full", "normal"] = "full"
    max_parallel_tasks: Annotated[int, Field(ge=1, le=10_000)] = 64
    keep: Keep = Field(default_factory=Keep)

    @field_validator("keep", mode="before")
    @classmethod
    def _for_ever(cls, keep: Any) -> Any:
        return {"days": None, "runs": None} if keep is None else keep

    @property
    def file(self) -> Path | None:
        """The file that runs are kept in; nothing where they are kept in memory."""
        return None if self.database is None or self.database == MEMORY else Path(self.database)


class TokenSettings(_Section):
    """Who comes with a token, known by its hash alone, and what they may do; one caller may have several tokens."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
    hash: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    scopes: Annotated[tuple[Scope, ...], Field(min_length=1)]


class ServerSettings(_Section):
    """Where `gleitzeit serve` listens, and to whom.

    With `tokens` every request needs one of them. `allowed_hosts` are the names that a proxy in front goes by, and
    `allowed_origins` the pages that may ask: `https://example.org`.
    """

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    tokens: tuple[TokenSettings, ...] = ()
    allowed_hosts: tuple[HostName, ...] = ()
    allowed_origins: tuple[Origin, ...] = ()
    expose_tools: Globs = ()
    audit: Path | None = None

    @field_validator("tokens")
    @classmethod
    def _refuse_twins(cls, tokens: tuple[TokenSettings, ...]) -> tuple[TokenSettings, ...]:
        if len({token.hash for token in tokens}) < len(tokens):
            raise ValueError("has the same hash twice, so nobody knows which name and scopes it stands for")
        return tokens


class Policy(_Section):
    """Which methods may be used, as patterns such as `mcp/tool.*`; `deny` wins, and an empty `allow` allows all."""

    allow: Globs = ()
    deny: Globs = ()
    ask: Globs = ()


class Limits(_Section):
    """How large a result may be, in tokens where a model reads it and in bytes where it is kept; how much at once.

    `provider_parallel` is how many requests each provider gets at once, `provider_queue` how many may wait for that.
    `connections` are those to `gleitzeit serve`. The rest is for each caller that comes with a token: requests at once,
    streams among them, requests a minute (null for any number), and open sessions.
    """

    result_tokens: Annotated[int, Field(ge=100, le=1_000_000)] = 8_000
    result_bytes: Annotated[int, Field(ge=1_024, le=1 << 30)] = 64 << 20
    open_runs: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    provider_parallel: Annotated[int, Field(ge=1, le=100_000)] | None = None
    provider_queue: Annotated[int, Field(ge=0, le=1_000_000)] = 1_000
    connections: Annotated[int, Field(ge=1, le=100_000)] = 500
    caller_requests: Annotated[int, Field(ge=1, le=100_000)] = 300
    caller_rate: Annotated[int, Field(ge=1, le=10_000_000)] | None = 6_000
    caller_sessions: Annotated[int, Field(ge=1, le=100_000)] = 200


class Mcp(_Section):
    """Downstream servers, as written: the provider fills `${VAR}` in, so that an unset one fails its server alone."""

    model_config = ConfigDict(extra="allow", frozen=True, defer_build=True)

    servers: tuple[Mapping[str, Any], ...] = ()
    roots: tuple[Any, ...] = ()
    mcpServers: Mapping[str, Any] = Field(default_factory=dict[str, Any])  # noqa: N815 - the hosts' own spelling

    @field_validator("servers", mode="before")
    @classmethod
    def _refuse_map(cls, servers: Any) -> Any:
        if is_mapping(servers):
            raise ValueError("must be a list; a map from names to servers, as hosts have it, belongs in mcp.mcpServers")
        return servers


class Configuration(_Section):
    """Everything that is configured; never changes. Its `repr` shows no secret.

    `providers` has a section for each provider by name, `modules` are imported for what they register, and are found
    on `module_path`. `origins` says where each key was written, by its path such as `providers.ollama.timeout`.
    """

    home: Path
    path: Path | None = None
    providers: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict[str, Mapping[str, Any]])
    modules: tuple[str, ...] = ()
    module_path: tuple[Path, ...] = ()
    mcp: Mcp = Field(default_factory=Mcp)
    files: Files = Field(default_factory=Files)
    workflows: Workflows = Field(default_factory=Workflows)
    secrets: Mapping[str, str] = Field(default_factory=dict[str, str])
    engine: EngineSettings = Field(default_factory=EngineSettings)
    server: ServerSettings = Field(default_factory=ServerSettings)
    policy: Policy = Field(default_factory=Policy)
    limits: Limits = Field(default_factory=Limits)
    origins: Mapping[str, str] = Field(default_factory=dict[str, str], exclude=True)

    def where(self, key: str) -> str:
        """The key with the place it was written at: `server.port (config.yaml, line 3)`."""
        origin = self.origins.get(key)
        return f"{key} ({origin})" if origin else key

    def redacted(self, *, everything: bool = True) -> dict[str, Any]:
        """The configuration as JSON data, with secrets left out; not `everything` is without what nobody has set."""
        shown = self.model_dump(mode="json", exclude_unset=not everything)
        shown["secrets"] = dict.fromkeys(self.secrets, "***")
        hidden = {key: value if key == "secrets" else redacted(value) for key, value in shown.items()}
        return hidden if everything else _without_nothing(hidden)

    def __repr__(self) -> str:
        return f"Configuration(home={str(self.home)!r}, path={str(self.path)!r})"

    __str__ = __repr__


def _without_nothing(values: Mapping[str, Any]) -> dict[str, Any]:
    """Sections without keys that hold nothing, and without those that are empty then."""
    kept = {key: _without_nothing(value) if is_mapping(value) else value for key, value in values.items()}
    return {key: value for key, value in kept.items() if value not in (None, {}, [])}


FILE_KEYS = ("providers", "mcp", "mcpServers", "files", "workflows", "secrets", "engine", "server", "policy", "limits")
"""The top-level keys of a configuration file."""
