"""Which provider carries out which method."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from gleitzeit.core.diagnostics import did_you_mean, nearest
from gleitzeit.core.errors import (
    ConfigurationError,
    ConflictError,
    GleitzeitError,
    MethodNotFoundError,
    NotFoundError,
)
from gleitzeit.core.protocol import MethodSpec, Protocol, prefix_of
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.providers.member import Member, described

ROUTES_KEPT = 4096

_logger = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class _Life:
    token: EventLoopToken
    group: TaskGroup


class ProtocolProviderRegistry:
    """Protocols, their providers, and the choice between them.

    Registering works at any time; carrying out requests only inside of `running()`.
    """

    _instance: ClassVar[ProtocolProviderRegistry | None] = None

    def __init__(self) -> None:
        self._protocols: dict[str, Protocol] = {}
        self._members: dict[str, Member] = {}
        self._handlers: dict[str, list[str]] = {}
        self._routes: dict[str, tuple[Member, ...]] = {}
        self._broken: dict[str, ProviderOverview] = {}
        self._lives: list[_Life] = []
        self._retired: list[Member] = []

    @classmethod
    def get_instance(cls) -> ProtocolProviderRegistry:
        """The registry of this process."""
        if ProtocolProviderRegistry._instance is None:
            ProtocolProviderRegistry._instance = cls()
        return ProtocolProviderRegistry._instance

    # Registration

    def register_protocol(self, protocol: Protocol) -> None:
        """Add a protocol, in place of any earlier one with its id."""
        self._protocols[protocol.id] = protocol
        for member in self._members.values():
            if member.protocol_id == protocol.id:
                member.provider.protocol = protocol
        self._routes.clear()

    def register_provider(
        self, protocol_id: str, provider: ProtocolProvider | str, instance: ProtocolProvider | None = None
    ) -> None:
        """Add a provider of a protocol, in place of any earlier one with its id, which is then shut down.

        The older form `(provider_id, protocol_id, provider)` is understood too.
        """
        if isinstance(provider, str) and instance is not None:
            protocol_id, provider = provider, instance
        if not isinstance(provider, ProtocolProvider):
            raise ConfigurationError(
                f"{protocol_id}: {provider!r} is not a ProtocolProvider",
                hint="derive its class from gleitzeit.providers.base.ProtocolProvider and register an instance",
            )
        if protocol_id in self._protocols:
            provider.protocol = self._protocols[protocol_id]
        earlier = self._members.get(provider.provider_id)
        if earlier is None or earlier.provider is not provider or earlier.protocol_id != protocol_id:
            self._retire(earlier)
            self._members[provider.provider_id] = Member(provider, protocol_id, predecessor=earlier)
        self._broken.pop(provider.provider_id, None)
        self._routes.clear()

    def register_method_handler(self, method: str, provider: ProtocolProvider) -> None:
        """Have `provider` carry out `method`, whatever else serves it; handlers of one protocol share the work."""
        member = self._members.get(provider.provider_id)
        if member is None or member.provider is not provider:
            self.register_provider(provider.protocol_id, provider)
            member = self._members[provider.provider_id]
        peers = [
            other
            for other in self._handlers.get(method, [])
            if other != provider.provider_id and self._serves(other, member.protocol_id)
        ]
        self._handlers[method] = [*peers, provider.provider_id]
        self._routes.clear()

    def unregister_provider(self, provider_id: str) -> None:
        """Forget a provider, and shut it down once its calls in flight are over."""
        member = self._members.pop(provider_id, None)
        if member is None:
            raise NotFoundError(f'there is no provider "{provider_id}"', hint=did_you_mean(provider_id, self._members))
        self._retire(member)
        self._routes.clear()

    def report_broken(self, name: str, error: BaseException) -> None:
        """Note a provider that could not be loaded, for `overview` and for errors about its methods."""
        self._broken[name] = ProviderOverview(name, "", name, "broken", error=described(error))

    def list_protocols(self) -> list[Protocol]:
        """All registered protocols."""
        return list(self._protocols.values())

    def provider(self, provider_id: str) -> ProtocolProvider | None:
        """The provider with that id, if there is one."""
        member = self._members.get(provider_id)
        return member.provider if member is not None else None

    def list_providers(self) -> list[ProtocolProvider]:
        """All registered providers."""
        return [member.provider for member in self._members.values()]

    def overview(self) -> list[ProviderOverview]:
        """How each provider stands, those that could not be loaded among them."""
        return [*(_overview(member) for member in self._members.values()), *self._broken.values()]

    # Selection

    def find(self, method: str) -> ProtocolProvider:
        """The provider that would get `method` now: of the healthy ones, that with the fewest calls in flight.

        Raises `MethodNotFoundError`, naming the nearest method.
        """
        return self._member(method).provider

    def _member(self, method: str) -> Member:
        members = self._routes.get(method)
        if members is None:
            members = self._route(method)
        if len(members) == 1:
            return members[0]
        now = time.monotonic()
        return min(members, key=lambda member: (member.sick(now), member.load))

    def _route(self, method: str) -> tuple[Member, ...]:
        handlers = [self._members[name] for name in self._handlers.get(method, ()) if name in self._members]
        members = tuple(handlers) or self._serving(method)
        if not members:
            raise self._unknown(method)
        if len(self._routes) >= ROUTES_KEPT:
            self._routes.clear()
        self._routes[method] = members
        return members

    def _serving(self, method: str) -> tuple[Member, ...]:
        fits = {name: _fit(member, method) for name, member in self._members.items()}
        best = max(fits.values(), default=0)
        return tuple(self._members[name] for name, fit in fits.items() if fit == best) if best else ()

    def _serves(self, provider_id: str, protocol_id: str) -> bool:
        return provider_id in self._members and self._members[provider_id].protocol_id == protocol_id

    def _unknown(self, method: str) -> MethodNotFoundError:
        known = self.known_methods()
        patterns = [name for member in self._members.values() for name in _served(member)]
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
        broken = self._broken.get(prefix[:-1])
        if broken is not None:
            message += f'; provider "{broken.name}" could not be loaded: {broken.error}'
        prefixes = sorted({prefix_of(member.protocol_id) for member in self._members.values()})
        near = nearest(prefix, prefixes)
        served = ", ".join(f"{name}*" for name in prefixes) or "nothing"
        hint = guess or (f'did you mean "{near}..."?' if near else None)
        return MethodNotFoundError(
            message, hint=hint or f"served are {served}; install or register a provider of {prefix}*"
        )

    def known_methods(self) -> list[str]:
        """The names of all methods that are known without asking the providers."""
        served = (name for member in self._members.values() for name in _served(member))
        return sorted({name for name in (*served, *self._handlers) if not name.endswith("*")})

    # Carrying out

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[ProtocolProviderRegistry]:
        """Own the providers' connections for as long as the context lasts; nested contexts share them.

        Raises `ConflictError` where the registry runs in another event loop.
        """
        token = current_token()
        if self._lives and self._lives[0].token != token:
            raise ConflictError(
                "the registry is in use in another event loop",
                hint="give each event loop a ProtocolProviderRegistry() of its own",
            )
        failure: Exception | None = None
        async with anyio.create_task_group() as group:
            life = _Life(token, group)
            self._lives.append(life)
            try:
                yield self
            except Exception as error:  # noqa: BLE001 - raised below, outside of the group, which would wrap it
                failure = error
            finally:
                self._lives.remove(life)
                for member in (*self._members.values(), *self._retired):
                    member.leave(group)
        if failure is not None:
            raise failure

    async def warm(self) -> None:
        """Start all providers that have connections of their own to open, and do not wait for them."""
        group = self._group()
        for member in list(self._members.values()):
            if member.serves:
                group.start_soon(self._warm, member)

    async def _warm(self, member: Member) -> None:
        try:
            await member.start(self._group)
        except GleitzeitError as error:
            _logger.warning("%s", error)

    async def ready(self, provider: ProtocolProvider) -> None:
        """Return once the provider is initialised. Raises `ProviderUnavailableError` where that failed."""
        await self._members[provider.provider_id].start(self._group)

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Have one request carried out, and return what the provider returned, or raise what it raised.

        Raises `MethodNotFoundError`, `ValidationError` for parameters that do not fit, and `ProviderUnavailableError`
        where the provider could not be initialised.
        """
        member = self._member(method)
        while not member.ready:  # it may be closed again before its turn comes
            await member.start(self._group)
        return await member.call(method, dict(parameters))

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say.

        Raises `MethodNotFoundError`, naming the nearest method.
        """
        member = self._member(method)
        if member.serves:
            await member.start(self._group)
        return await member.provider.describe(method)

    async def list_methods(self) -> list[MethodSpec]:
        """All methods there are now, by name; a provider that can't say is left out."""
        found: dict[str, MethodSpec] = {}
        async with anyio.create_task_group() as group:
            for member in list(self._members.values()):
                group.start_soon(self._collect, member, found)
        return [found[name] for name in sorted(found)]

    async def _collect(self, member: Member, found: dict[str, MethodSpec]) -> None:
        try:
            if member.serves:
                await member.start(self._group)
            specs = await member.provider.list_methods()
        except Exception as error:  # noqa: BLE001 - a provider may raise anything, and the others are still listed
            _logger.warning("provider %s can't list its methods: %s", member.provider.provider_id, described(error))
            return
        for spec in specs:
            found.setdefault(spec.name, spec)

    async def check_health(self) -> list[ProviderOverview]:
        """Ask each provider in use how it is, all at once, and say how each stands."""
        async with anyio.create_task_group() as group:
            for member in list(self._members.values()):
                group.start_soon(member.check_health)
        return self.overview()

    def _group(self) -> TaskGroup:
        if not self._lives:
            raise ConflictError(
                "the registry is not running",
                hint="use it inside of `async with registry.running():`, or by a GleitzeitClient",
            )
        return self._lives[0].group

    def _retire(self, member: Member | None) -> None:
        if member is None:
            return
        self._retired = [other for other in self._retired if other.alive]
        member.close()
        if member.alive:
            self._retired.append(member)


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
