"""How a provider is built from its section, where it does not say so itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import BaseModel

from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.config import HubConfig
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.settings import OllamaSettings


class Settings(BaseModel):
    endpoint: str = "nowhere"
    retries: int = 1


class Idle(ProtocolProvider):
    """Has nothing but what its base class has."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        return {}


class Configured(Idle):
    """Takes what the documents say that a provider takes."""

    def __init__(
        self,
        provider_id: str,
        config: dict[str, Any] | None = None,
        resource_manager: Any = None,
        hub: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(provider_id, "idle/v1", resource_manager=resource_manager, hub=hub, **kwargs)
        self.config = config


class Connected(Idle):
    """Takes something else."""

    def __init__(self, provider_id: str, connection_string: str) -> None:
        super().__init__(provider_id, "idle/v1")
        self.connection_string = connection_string


class Overriding(Connected):
    """Takes something else, and says how it is built."""

    protocol = Protocol("idle/v1", methods=["idle/wait"])

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Overriding:
        assert isinstance(config, Mapping)
        return cls(provider_id, config["connection_string"])


def test_a_section_is_given_as_a_dict() -> None:
    provider = Configured.from_config("one", {"any": "thing"})
    assert (provider.provider_id, provider.config) == ("one", {"any": "thing"})


def test_a_model_is_given_as_a_dict_with_its_defaults() -> None:
    assert Configured.from_config("one", Settings(retries=3)).config == {"endpoint": "nowhere", "retries": 3}


@pytest.mark.parametrize("provider", [Idle, Connected])
def test_a_class_that_takes_other_arguments_is_told_what_to_do(provider: type[ProtocolProvider]) -> None:
    with pytest.raises(ConfigurationError, match=f"{provider.__name__} can't be built") as caught:
        provider.from_config("one", {})
    assert caught.value.hint == f"override from_config(cls, provider_id, config) in {provider.__name__}"


def test_a_class_may_say_how_it_is_built() -> None:
    assert Overriding.from_config("one", {"connection_string": "db"}).connection_string == "db"


def test_the_built_in_providers_take_their_models() -> None:
    settings = OllamaSettings(timeout=7)
    assert OllamaProvider.from_config("ollama", settings).settings is settings
    section = HubConfig.model_validate({"servers": [{"name": "a", "command": "a"}], "roots": ["/data"]})
    (server,) = MCPHubProvider.from_config("mcp", section).servers
    assert server.roots == ("/data",)


def test_a_built_in_provider_keeps_the_arguments_of_its_base_class() -> None:
    hub = MCPHubProvider("hub", {}, name="Hub", version="3", hub="x")
    assert (hub.name, hub.version, hub.hub, hub.description) == ("Hub", "3", "x", "Tools of downstream MCP servers")
    with pytest.raises(TypeError, match="colour"):
        MCPHubProvider("hub", {}, colour="red")
