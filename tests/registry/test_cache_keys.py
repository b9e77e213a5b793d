"""What decides a result is asked of the provider, which is started for that only where it has something to say."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import MethodNotFoundError, ProviderCrashedError, ProviderError, ProviderUnavailableError
from gleitzeit.providers.base import CacheKey, ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio


class Plain(ProtocolProvider):
    """Says nothing of its results."""

    def __init__(self) -> None:
        super().__init__("shop", "shop/v1")
        self.told: list[Any] = []
        self.failing = False

    async def initialize(self) -> None:
        self.told.append("initialize")
        if self.failing:
            raise ProviderError("the shop is closed", hint="come back tomorrow")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        return {}


class Priced(Plain):
    """Says that the price of the day decides its results."""

    answer: Any = CacheKey({"price": 3})

    async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
        self.told.append((method, parameters))
        if isinstance(self.answer, Exception):
            raise self.answer
        key: CacheKey | None = self.answer
        return key


async def key_of(registry: ProtocolProviderRegistry, provider: ProtocolProvider, method: str = "shop/buy") -> Any:
    registry.register_provider("shop/v1", provider)
    async with registry.running():
        return await registry.cache_key(method, {"item": "tea"})


async def test_a_provider_that_has_nothing_to_say_is_not_started(registry: ProtocolProviderRegistry) -> None:
    provider = Plain()
    assert await key_of(registry, provider) == CacheKey()
    assert provider.told == []


async def test_a_provider_that_has_is_started_first(registry: ProtocolProviderRegistry) -> None:
    provider = Priced()
    assert await key_of(registry, provider) == CacheKey({"price": 3})
    assert provider.told == ["initialize", ("shop/buy", {"item": "tea"})]


async def test_a_provider_may_say_that_nothing_is_kept(registry: ProtocolProviderRegistry) -> None:
    provider = Priced()
    provider.answer = None
    assert await key_of(registry, provider) is None


async def test_what_a_provider_raises_unforeseen_is_a_crash_and_the_rest_is_raised_as_it_is(
    registry: ProtocolProviderRegistry,
) -> None:
    provider = Priced()
    provider.answer = ProviderError("no price today")
    with pytest.raises(ProviderError, match="no price today"):
        await key_of(registry, provider)
    for answer, told in ((KeyError("item"), "KeyError: 'item'"), ("3", "cache_key returned str, not a CacheKey")):
        provider.answer = answer
        with pytest.raises(ProviderCrashedError, match=told):
            await key_of(registry, provider)


async def test_a_provider_that_cannot_be_started_and_a_method_that_nobody_serves_are_told(
    registry: ProtocolProviderRegistry,
) -> None:
    provider = Priced()
    provider.failing = True
    with pytest.raises(ProviderUnavailableError, match="the shop is closed"):
        await key_of(registry, provider)
    with pytest.raises(MethodNotFoundError):
        await key_of(registry, Plain(), "bank/pay")
