"""A registry with one protocol."""

from __future__ import annotations

import pytest

from gleitzeit.core.protocol import Protocol
from gleitzeit.registry import ProtocolProviderRegistry


@pytest.fixture
def registry() -> ProtocolProviderRegistry:
    registry = ProtocolProviderRegistry()
    methods = {"shop/buy": {"parameters": {"item": {"type": "string"}}}}
    registry.register_protocol(Protocol("shop/v1", "Shop", methods=methods))
    return registry


@pytest.fixture
def fresh_instance(monkeypatch: pytest.MonkeyPatch) -> ProtocolProviderRegistry:
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None)
    return ProtocolProviderRegistry.get_instance()
