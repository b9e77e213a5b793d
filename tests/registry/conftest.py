"""Providers and registries for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider, Readiness
from gleitzeit.registry import ProtocolProviderRegistry

PROTOCOL = Protocol("shop/v1", "Shop", methods={"shop/buy": {"parameters": {"item": {"type": "string"}}}})


class Shop(ProtocolProvider):
    """Counts what is done to it, and can be held up or made to fail."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)
        self.told: list[str] = []
        self.gate: anyio.Event | None = None
        self.entered = anyio.Event()
        self.failures: list[Exception] = []

    async def initialize(self) -> None:
        self.told.append("initialize")
        await anyio.lowlevel.checkpoint()
        if self.failures:
            raise self.failures.pop(0)

    async def shutdown(self) -> None:
        await anyio.lowlevel.checkpoint()
        self.told.append("shutdown")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        self.told.append(method)
        self.entered.set()
        if self.gate is not None:
            await self.gate.wait()
        return {"by": self.provider_id, **parameters}


class Served(Shop):
    """Has something that runs as long as it does."""

    def __init__(self, provider_id: str = "shop", protocol_id: str = "shop/v1") -> None:
        super().__init__(provider_id, protocol_id)
        self.crash = anyio.Event()

    async def serve(self, *, task_status: Readiness) -> None:
        self.told.append("serve")
        task_status.started()
        try:
            await self.crash.wait()
            raise RuntimeError("the line is dead")
        finally:
            self.told.append("served")


@pytest.fixture
def registry() -> ProtocolProviderRegistry:
    registry = ProtocolProviderRegistry()
    registry.register_protocol(PROTOCOL)
    return registry


@pytest.fixture
def fresh_instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProtocolProviderRegistry]:
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None)
    yield ProtocolProviderRegistry.get_instance()


@pytest.fixture
def shop() -> type[Shop]:
    return Shop


@pytest.fixture
def served() -> type[Served]:
    return Served
