"""Which provider carries out which method, and how each of them lives."""

from gleitzeit.registry.provider_registry import ProtocolProviderRegistry
from gleitzeit.registry.roster import ProviderOverview

__all__ = ["ProtocolProviderRegistry", "ProviderOverview"]
