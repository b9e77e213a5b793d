from __future__ import annotations

from typing import Any, cast

import pytest

from gleitzeit.core.errors import ConfigurationError, MethodNotFoundError, NotFoundError
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry


class Shop(ProtocolProvider):
    """Answers nothing."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        return None


def test_there_is_one_registry_a_process(fresh_instance: ProtocolProviderRegistry) -> None:
    assert ProtocolProviderRegistry.get_instance() is fresh_instance
    assert ProtocolProviderRegistry() is not fresh_instance


def test_registering_again_replaces(registry: ProtocolProviderRegistry) -> None:
    for _ in range(2):
        protocol = Protocol("shop/v1", methods=["shop/buy", "shop/sell"])
        registry.register_protocol(protocol)
        provider = Shop()
        registry.register_provider("shop/v1", provider)
        for method in protocol.methods:
            registry.register_method_handler(method, provider)
        assert registry.list_protocols() == [protocol]
        assert registry.list_providers() == [provider]
        assert registry.find("shop/sell") is provider


def test_the_provider_of_a_method_is_named_and_nothing_where_there_is_none(registry: ProtocolProviderRegistry) -> None:
    registry.register_provider("shop/v1", Shop("one"))
    assert registry.provider_of("shop/buy") == "one"
    assert registry.provider_of("shop/rob") is None


def test_a_provider_without_a_protocol_serves_its_prefix(registry: ProtocolProviderRegistry) -> None:
    provider = Shop("data", "database/v1")
    registry.register_provider("database/v1", provider)
    assert registry.find("database/query") is provider


def test_a_protocol_that_comes_after_its_provider_counts(registry: ProtocolProviderRegistry) -> None:
    registry.register_provider("late/v1", Shop("late", "late/v1"))
    registry.register_protocol(Protocol("late/v1", methods=["late/come"]))
    assert registry.find("late/come").provider_id == "late"
    with pytest.raises(MethodNotFoundError):
        registry.find("late/never")


def test_an_exact_name_goes_before_a_pattern(registry: ProtocolProviderRegistry) -> None:
    class Patterns(ProtocolProvider):
        def __init__(self, name: str, served: list[str]) -> None:
            super().__init__(name, "mcp/v1")
            self.served = served

        def get_supported_methods(self) -> list[str]:
            return self.served

        async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
            return None

    for name, served in {"wide": ["mcp/*"], "tools": ["mcp/tool.*"], "one": ["mcp/tool.fs.read"]}.items():
        registry.register_provider("mcp/v1", Patterns(name, served))
    assert registry.find("mcp/servers").provider_id == "wide"
    assert registry.find("mcp/tool.fs.write").provider_id == "tools"
    assert registry.find("mcp/tool.fs.read").provider_id == "one"


def test_a_handler_goes_before_the_protocol(registry: ProtocolProviderRegistry) -> None:
    registry.register_provider("shop/v1", Shop())
    special = Shop("special", "other/v1")
    registry.register_method_handler("shop/buy", special)
    assert registry.find("shop/buy") is special


def test_an_unregistered_provider_serves_nothing(registry: ProtocolProviderRegistry) -> None:
    registry.register_method_handler("shop/buy", Shop())
    registry.unregister_provider("shop")
    with pytest.raises(MethodNotFoundError):
        registry.find("shop/buy")
    with pytest.raises(NotFoundError, match='there is no provider "shop"'):
        registry.unregister_provider("shop")


def test_a_class_is_not_a_provider(registry: ProtocolProviderRegistry) -> None:
    with pytest.raises(ConfigurationError) as caught:
        registry.register_provider("shop/v1", cast("Any", Shop))
    assert "register an instance" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("method", "message", "hint"),
    [
        ("shop/by", 'there is no method "shop/by"', 'did you mean "shop/buy"?'),
        ("shp/buy", "no provider serves shp/*", 'did you mean "shop/buy"?'),
        ("python/execute", "no provider serves python/*", "served are shop/*"),
        ("buy", 'there is no method "buy"', "prefix/name"),
    ],
)
def test_an_unknown_method_names_what_there_is(
    registry: ProtocolProviderRegistry, method: str, message: str, hint: str
) -> None:
    registry.register_provider("shop/v1", Shop())
    with pytest.raises(MethodNotFoundError) as caught:
        registry.find(method)
    assert message in str(caught.value)
    assert hint in (caught.value.hint or "")


def test_a_method_of_a_provider_that_could_not_be_loaded_says_so(registry: ProtocolProviderRegistry) -> None:
    registry.report_broken("python", ImportError("no module named landlock"))
    with pytest.raises(MethodNotFoundError, match="could not be loaded: ImportError: no module named landlock"):
        registry.find("python/execute")
    assert [(provider.provider_id, provider.state) for provider in registry.overview()] == [("python", "broken")]


def test_whoever_shows_methods_is_told_when_there_may_be_others(registry: ProtocolProviderRegistry) -> None:
    rings: list[str] = []
    shop = Shop("shop")
    with registry.telling(lambda: rings.append("ring")):
        registry.register_provider("shop/v1", shop)
        assert len(rings) == 1
        shop.announce()
        assert len(rings) == 2
        registry.unregister_provider("shop")
        assert len(rings) == 3
    shop.announce()
    assert len(rings) == 3
