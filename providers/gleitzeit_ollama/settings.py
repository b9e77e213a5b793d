"""The configuration section `providers.ollama`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from gleitzeit.core.data import is_object
from gleitzeit_ollama.addresses import Endpoint

SECTION = "providers.ollama"
PORTS = range(11434, 11440)


def _check_address(url: str) -> str:
    try:
        Endpoint.parse(url)
    except ValueError as error:
        raise PydanticCustomError("not_an_endpoint", "{said}", {"said": str(error)}) from None
    return url


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Address = Annotated[str, AfterValidator(_check_address)]
Port = Annotated[int, Field(ge=1, le=65_535)]


class NodeSettings(BaseModel):
    """One Ollama server of several.

    A node of `weight` 2 is preferred as if it took half the time; that a faster node gets more needs no weight.
    `max_parallel` is its OLLAMA_NUM_PARALLEL; where it is not given, the pool finds out how many requests of a model it
    answers at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: Address
    weight: Annotated[float, Field(gt=0, le=1000)] = 1.0
    max_parallel: Annotated[int, Field(ge=1, le=1000)] | None = None


class Discovery(BaseModel):
    """Which ports of this machine are asked whether an Ollama listens there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool = True
    ports: tuple[Port, ...] = tuple(PORTS)

    @field_validator("ports", mode="before")
    @classmethod
    def _read_range(cls, ports: Any) -> Any:
        """`11434-11439` is short for all of them."""
        if not isinstance(ports, str):
            return (ports,) if isinstance(ports, int) else ports
        first, dash, last = ports.partition("-")
        try:
            found = range(int(first), int(last if dash else first) + 1)
        except ValueError:
            raise PydanticCustomError("not_ports", "write a range like 11434-11439, or a list of ports") from None
        if not 0 < len(found) <= 100:
            raise PydanticCustomError("not_ports", "a range has its smaller port first, and 100 ports at most")
        return tuple(found)


class OllamaSettings(BaseModel):
    """The Ollama servers there are, and how long to wait for them; times are in seconds.

    `timeout` is the longest silence of a loaded model, `load_timeout` that of one that has to be loaded first.
    `max_retries` is how often a request is sent again by itself, best to another node, as long as nothing of its answer
    has come. `max_connections` are the answers that one node gives at once, of whatever models; `max_queue` the
    requests that may wait for one model, for each node that has it. `models` gives models other names: `default` is
    used where a call names none. `cache` says which answers a task's `cache` may keep: those that would come out the
    same again, all, or none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint: Address | None = None
    endpoints: tuple[NodeSettings, ...] = ()
    discovery: Discovery | None = None
    timeout: Seconds = 60.0
    load_timeout: Seconds = 300.0
    max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    max_connections: Annotated[int, Field(ge=1, le=1000)] = 16
    max_queue: Annotated[int, Field(ge=0, le=100_000)] = 512
    health_interval: Seconds = 10.0
    keep_alive: float | str | None = None
    pull_missing: bool = False
    cache: Literal["repeatable", "always", "never"] = "repeatable"
    models: dict[str, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict[str, str])

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, section: Any) -> Any:
        """An address alone is a node; `cache: false` is never, `true` what is repeatable; commas part nodes."""
        if not is_object(section):
            return section
        read = dict(section)
        if isinstance(read.get("endpoints"), str):  # as an environment variable holds them best
            read["endpoints"] = [node.strip() for node in read["endpoints"].split(",") if node.strip()]
        if isinstance(read.get("endpoints"), list | tuple):
            read["endpoints"] = [{"url": node} if isinstance(node, str) else node for node in read["endpoints"]]
        if isinstance(read.get("discovery"), bool):
            read["discovery"] = {"enabled": read["discovery"]}
        if isinstance(read.get("cache"), bool):
            read["cache"] = "repeatable" if read["cache"] else "never"
        return read

    @model_validator(mode="after")
    def _check_nodes(self) -> OllamaSettings:
        shown = [Endpoint.parse(node.url).shown for node in self.nodes]
        twice = next((address for address in shown if shown.count(address) > 1), None)
        if twice is not None:
            raise PydanticCustomError("twice", 'the node "{shown}" is named twice', {"shown": twice})
        return self

    @property
    def nodes(self) -> tuple[NodeSettings, ...]:
        """The nodes that are named, whichever key names them."""
        one = () if self.endpoint is None else (NodeSettings(url=self.endpoint),)
        return (*one, *self.endpoints)

    @property
    def discovered_ports(self) -> tuple[int, ...]:
        """The ports to ask: none where nodes are named, unless `discovery` is asked for too."""
        if self.discovery is not None:
            return self.discovery.ports if self.discovery.enabled else ()
        return () if self.nodes else tuple(PORTS)
