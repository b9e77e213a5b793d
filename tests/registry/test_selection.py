"""Several providers of one protocol: the healthy one with the fewest calls in flight."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

NOTHING: dict[str, Any] = {}


class Shop(ProtocolProvider):
    """Notes its calls, and holds them up behind its gate."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)
        self.told: list[str] = []
        self.gate: anyio.Event | None = None
        self.failures: list[Exception] = []

    async def initialize(self) -> None:
        self.told.append("initialize")
        if self.failures:
            raise self.failures.pop(0)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.told.append(method)
        if self.gate is not None:
            await self.gate.wait()
        return {"by": self.provider_id, **parameters}


async def test_the_one_with_the_fewest_calls_is_taken(registry: ProtocolProviderRegistry) -> None:
    one, two = Shop("one"), Shop("two")
    one.gate = two.gate = anyio.Event()
    for provider in (one, two):
        registry.register_provider("shop/v1", provider)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            assert one.told.count("shop/buy") == two.told.count("shop/buy") == 3
            assert [provider.in_flight for provider in registry.overview()] == [3, 3]
            one.gate.set()
    assert [provider.in_flight for provider in registry.overview()] == [0, 0]


async def test_handlers_of_one_protocol_share_the_work(registry: ProtocolProviderRegistry) -> None:
    one, two = Shop("one"), Shop("two")
    one.gate = two.gate = anyio.Event()
    for provider in (one, two):
        registry.register_provider("shop/v1", provider)
        registry.register_method_handler("shop/buy", provider)
    with anyio.fail_after(5):
        async with registry.running(), anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(registry.execute, "shop/buy", NOTHING)
            await anyio.wait_all_tasks_blocked()
            assert one.told.count("shop/buy") == two.told.count("shop/buy") == 1
            one.gate.set()


async def test_one_that_does_not_initialise_is_avoided(registry: ProtocolProviderRegistry) -> None:
    bad, good = Shop("bad"), Shop("good")
    bad.failures = [OSError("down")]
    for provider in (bad, good):
        registry.register_provider("shop/v1", provider)
    async with registry.running():
        with pytest.raises(ProviderUnavailableError):
            await registry.execute("shop/buy", {})
        assert registry.find("shop/buy") is good
        assert [(await registry.execute("shop/buy", {}))["by"] for _ in range(3)] == ["good"] * 3


async def test_one_that_is_often_unavailable_is_avoided(registry: ProtocolProviderRegistry) -> None:
    class Away(Shop):
        async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
            raise ProviderUnavailableError("nobody there")

    registry.register_provider("shop/v1", Away("away"))
    registry.register_provider("shop/v1", Shop("good"))
    async with registry.running():
        for _ in range(3):
            assert registry.find("shop/buy").provider_id == "away"
            with pytest.raises(ProviderUnavailableError):
                await registry.execute("shop/buy", {})
        assert registry.find("shop/buy").provider_id == "good"


@pytest.mark.parametrize("answer", [False, {"status": "unhealthy"}, OSError("down")])
async def test_one_whose_health_check_fails_is_avoided(registry: ProtocolProviderRegistry, answer: Any) -> None:
    class Ill(Shop):
        async def health_check(self) -> Any:
            if isinstance(answer, Exception):
                raise answer
            return answer

    registry.register_provider("shop/v1", Ill("ill"))
    async with registry.running():
        await registry.execute("shop/buy", {})
        registry.register_provider("shop/v1", Shop("good"))
        assert registry.find("shop/buy").provider_id == "ill"
        overview = {provider.provider_id: provider for provider in await registry.check_health()}
        assert overview["ill"].error
        assert overview["good"].error is None
        assert registry.find("shop/buy").provider_id == "good"


async def test_what_a_health_check_says_is_told_in_its_own_words(registry: ProtocolProviderRegistry) -> None:
    class Ill(Shop):
        async def health_check(self) -> Any:
            return {"status": "unhealthy", "error": "nobody is at the till", "hint": "ring the bell"}

    registry.register_provider("shop/v1", Ill("ill"))
    async with registry.running():
        await registry.execute("shop/buy", {})
        assert [one.error for one in await registry.check_health()] == ["nobody is at the till"]


async def test_methods_are_listed_although_one_provider_cannot(
    registry: ProtocolProviderRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    class Silent(Shop):
        async def list_methods(self) -> Any:
            raise RuntimeError("no list")

    registry.register_provider("shop/v1", Shop("good"))
    registry.register_provider("silent/v1", Silent("silent"))
    async with registry.running():
        assert [spec.name for spec in await registry.list_methods()] == ["shop/buy"]
        spec = await registry.describe("shop/buy")
    assert spec is not None
    assert "item" in spec.parameters["properties"]
    assert "silent can't list its methods" in caplog.text
