"""Who is registered for what, and whose turn it is."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gleitzeit.core.diagnostics import did_you_mean, nearest
from gleitzeit.core.errors import MethodNotFoundError, NotFoundError
from gleitzeit.core.protocol import Protocol, prefix_of
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry.described import described
from gleitzeit.registry.gate import Bounds
from gleitzeit.registry.member import Member

ROUTES_KEPT = 4096


@dataclass(frozen=True, slots=True)
class ProviderOverview:
    """How one provider stands; `broken` is one that could not even be loaded."""

    provider_id: str
    protocol_id: str
    name: str
    state: Literal["registered", "starting", "ready", "failed", "broken"]
    in_flight: int = 0
    error: str | None = None
    version: str = ""
    description: str = ""


class Roster:
    """Protocols and members by their ids, and the members that serve a method."""

    def __init__(self) -> None:
        self.protocols: dict[str, Protocol] = {}
        self.members: dict[str, Member] = {}
        self.broken: dict[str, ProviderOverview] = {}
        self._bounds: Bounds | None = None
        self._unbounded: frozenset[str] = frozenset()
        self._handlers: dict[str, list[str]] = {}
        self._routes: dict[str, tuple[Member, ...]] = {}

    def add_protocol(self, protocol: Protocol) -> None:
        """Take a protocol in, and tell its providers."""
        self.protocols[protocol.id] = protocol
        for member in self.members.values():
            if member.protocol_id == protocol.id:
                member.provider.protocol = protocol
        self._routes.clear()

    def add_provider(self, protocol_id: str, provider: ProtocolProvider) -> Member | None:
        """Take a provider in, and return the member whose place it takes; nothing changes for one that is there."""
        earlier = self.members.get(provider.provider_id)
        if earlier is not None and earlier.provider is provider and earlier.protocol_id == protocol_id:
            return None
        if protocol_id in self.protocols:
            provider.protocol = self.protocols[protocol_id]
        member = self.members[provider.provider_id] = Member(provider, protocol_id, predecessor=earlier)
        self._apply_bounds(member)
        self.broken.pop(provider.provider_id, None)
        self._routes.clear()
        return earlier

    def bound(self, bounds: Bounds | None, unbounded: Iterable[str]) -> None:
        """Bound what each member gets at once, those that come later too, except the `unbounded` ones."""
        self._bounds, self._unbounded = bounds, frozenset(unbounded)
        for member in self.members.values():
            self._apply_bounds(member)

    def _apply_bounds(self, member: Member) -> None:
        member.bound(None if member.provider.provider_id in self._unbounded else self._bounds)

    def add_handler(self, method: str, provider: ProtocolProvider) -> None:
        """Have a member carry out `method`, beside those of its own protocol and in place of all others."""
        member = self.members[provider.provider_id]
        peers = [
            other
            for other in self._handlers.get(method, [])
            if other != provider.provider_id and self._serves(other, member.protocol_id)
        ]
        self._handlers[method] = [*peers, provider.provider_id]
        self._routes.clear()

    def remove(self, provider_id: str) -> Member:
        """Take a provider out. Raises `NotFoundError`, naming the nearest."""
        member = self.members.pop(provider_id, None)
        if member is None:
            raise NotFoundError(f'there is no provider "{provider_id}"', hint=did_you_mean(provider_id, self.members))
        self._routes.clear()
        return member

    def overview(self) -> list[ProviderOverview]:
        """How each provider stands, those that could not be loaded among them."""
        return [*(_overview(member) for member in self.members.values()), *self.broken.values()]

    def member(self, method: str) -> Member:
        """Of the healthy members that serve `method`, that with the fewest calls. Raises `MethodNotFoundError`."""
        members = self._routes.get(method)
        if members is None:
            members = self._route(method)
        if len(members) == 1:
            return members[0]
        now = time.monotonic()
        return min(members, key=lambda member: (member.sick(now), member.load))

    def _route(self, method: str) -> tuple[Member, ...]:
        handlers = [self.members[name] for name in self._handlers.get(method, ()) if name in self.members]
        members = tuple(handlers) or self._serving(method)
        if not members:
            raise self._unknown(method)
        if len(self._routes) >= ROUTES_KEPT:
            self._routes.clear()
        self._routes[method] = members
        return members

    def _serving(self, method: str) -> tuple[Member, ...]:
        fits = {name: _fit(member, method) for name, member in self.members.items()}
        best = max(fits.values(), default=0)
        return tuple(self.members[name] for name, fit in fits.items() if fit == best) if best else ()

    def _serves(self, provider_id: str, protocol_id: str) -> bool:
        return provider_id in self.members and self.members[provider_id].protocol_id == protocol_id

    def _unknown(self, method: str) -> MethodNotFoundError:
        known = self.known_methods()
        patterns = [name for member in self.members.values() for name in _served(member)]
        guess = did_you_mean(method, known)
        if "/" not in method:
            message = f'there is no method "{method}"'
            return MethodNotFoundError(message, hint=guess or 'a method is named "prefix/name", such as "llm/chat"')
        prefix = prefix_of(method)
        if any(name.startswith(prefix) for name in patterns):
            return MethodNotFoundError(f'there is no method "{method}"', hint=guess)
        return self._unserved(method, prefix, guess)

    def _unserved(self, method: str, prefix: str, guess: str | None) -> MethodNotFoundError:
        message = f'there is no method "{method}": no provider serves {prefix}*'
        broken = self.broken.get(prefix[:-1])
        if broken is not None:
            message += f'; provider "{broken.name}" could not be loaded: {broken.error}'
        prefixes = sorted({prefix_of(member.protocol_id) for member in self.members.values()})
        near = nearest(prefix, prefixes)
        served = ", ".join(f"{name}*" for name in prefixes) or "nothing"
        hint = guess or (f'did you mean "{near}..."?' if near else None)
        return MethodNotFoundError(
            message, hint=hint or f"served are {served}; install or register a provider of {prefix}*"
        )

    def known_methods(self) -> list[str]:
        """The names of all methods that are known without asking the providers."""
        served = (name for member in self.members.values() for name in _served(member))
        return sorted({name for name in (*served, *self._handlers) if not name.endswith("*")})


def _served(member: Member) -> Iterable[str]:
    provider = member.provider
    names = provider.get_supported_methods()
    if names:
        return names
    return provider.protocol.methods if provider.protocol is not None else [prefix_of(member.protocol_id) + "*"]


def _fit(member: Member, method: str) -> int:
    fits = (
        len(name) + 1 if name == method else len(name)
        for name in _served(member)
        if name == method or (name.endswith("*") and method.startswith(name[:-1]))
    )
    return max(fits, default=0)


def _overview(member: Member) -> ProviderOverview:
    provider = member.provider
    return ProviderOverview(
        provider_id=provider.provider_id,
        protocol_id=member.protocol_id,
        name=provider.name,
        state=member.state,
        in_flight=member.in_flight,
        error=described(member.failure) if member.failure is not None else None,
        version=provider.version,
        description=provider.description,
    )
