"""`ProtocolProviderRegistry`: protocols, their providers, and the choice between them."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, cast

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from gleitzeit.core.errors import (
    ConfigurationError,
    ConflictError,
    GleitzeitError,
    MethodNotFoundError,
    ProviderCrashedError,
)
from gleitzeit.core.findings import Finding
from gleitzeit.core.groups import unwrapped
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import CacheKey, ProtocolProvider
from gleitzeit.registry.described import described, described_import
from gleitzeit.registry.gate import Bounds
from gleitzeit.registry.member import Member
from gleitzeit.registry.roster import ProviderOverview, Roster

EXAMINATION_SECONDS = 180.0
"""How long a provider may examine itself; servers of its own may have to be downloaded first."""

_MOST_DESCRIBED = 10_000

_logger = logging.getLogger(__name__)


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
        self._roster = Roster()
        self._lives: list[_Life] = []
        self._retired: list[Member] = []
        self._listeners: list[Callable[[], None]] = []
        self._described: dict[str, MethodSpec | None] = {}

    @classmethod
    def get_instance(cls) -> ProtocolProviderRegistry:
        """The registry of this process."""
        if ProtocolProviderRegistry._instance is None:
            ProtocolProviderRegistry._instance = cls()
        return ProtocolProviderRegistry._instance

    # Registration

    def register_protocol(self, protocol: Protocol) -> None:
        """Add a protocol, in place of any earlier one with its id."""
        self._roster.add_protocol(protocol)
        self._described = {}

    def register_provider(self, protocol_id: str, provider: ProtocolProvider) -> None:
        """Add a provider of a protocol, in place of any earlier one with its id, which is then shut down."""
        if not isinstance(cast("object", provider), ProtocolProvider):
            raise ConfigurationError(
                f"{protocol_id}: {provider!r} is not a ProtocolProvider",
                hint="derive its class from gleitzeit.providers.base.ProtocolProvider and register an instance",
            )
        self._retire(self._roster.add_provider(protocol_id, provider))
        provider.heard_by(self._tell)
        self._tell()

    def register_method_handler(self, method: str, provider: ProtocolProvider) -> None:
        """Have `provider` carry out `method`, whatever else serves it; handlers of one protocol share the work."""
        if self.provider(provider.provider_id) is not provider:
            self.register_provider(provider.protocol_id, provider)
        self._roster.add_handler(method, provider)
        self._tell()

    def unregister_provider(self, provider_id: str) -> None:
        """Forget a provider, and shut it down once its calls in flight are over."""
        self._retire(self._roster.remove(provider_id))
        self._tell()

    @contextmanager
    def telling(self, changed: Callable[[], None]) -> Generator[None]:
        """Meanwhile, call `changed` whenever the methods may be others than before."""
        self._listeners.append(changed)
        try:
            yield
        finally:
            self._listeners.remove(changed)

    def _tell(self) -> None:
        self._described = {}  # a description that is under way must not come into the new one
        for changed in self._listeners:
            changed()

    def report_broken(self, name: str, error: BaseException) -> None:
        """Note a provider that could not be loaded, for `overview` and for errors about its methods."""
        self._roster.broken[name] = ProviderOverview(name, "", name, "broken", error=described_import(error))

    def list_protocols(self) -> list[Protocol]:
        """All registered protocols."""
        return list(self._roster.protocols.values())

    def provider(self, provider_id: str) -> ProtocolProvider | None:
        """The provider with that id, if there is one."""
        member = self._roster.members.get(provider_id)
        return member.provider if member is not None else None

    def list_providers(self) -> list[ProtocolProvider]:
        """All registered providers."""
        return [member.provider for member in self._roster.members.values()]

    def overview(self) -> list[ProviderOverview]:
        """How each provider stands, those that could not be loaded among them."""
        return self._roster.overview()

    def bound(self, parallel: int | None, queue: int = 0, *, unbounded: Collection[str] = ()) -> None:
        """Let each provider have at most `parallel` requests at once, and `queue` that wait; None is no bound.

        It holds for providers registered later too, except those whose ids are `unbounded`: what starts other tasks
        and waits for them would hold up itself.
        """
        self._roster.bound(None if parallel is None else Bounds(parallel, queue), unbounded)

    # Selection

    def find(self, method: str) -> ProtocolProvider:
        """The provider that would get `method` now: of the healthy ones, that with the fewest calls in flight.

        Raises `MethodNotFoundError`, naming the nearest method.
        """
        return self._roster.member(method).provider

    def provider_of(self, method: str) -> str | None:
        """The id of the provider that `find` names; nothing where no provider serves the method."""
        try:
            return self.find(method).provider_id
        except MethodNotFoundError:
            return None

    def names_of(self, method: str) -> Sequence[str]:
        """All names of a method, by the providers that serve it; only itself where none does."""
        try:
            return self._roster.member(method).provider.names_of(method)
        except MethodNotFoundError:
            return (method,)

    def known_methods(self) -> list[str]:
        """The names of all methods that are known without asking the providers."""
        return self._roster.known_methods()

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
        async with unwrapped(anyio.create_task_group()) as group:
            life = _Life(token, group)
            self._lives.append(life)
            try:
                yield self
            finally:
                self._lives.remove(life)
                for member in (*self._roster.members.values(), *self._retired):
                    member.leave(group)

    async def warm(self) -> None:
        """Start all providers that have connections of their own to open, and do not wait for them."""
        group = self._group()
        for member in list(self._roster.members.values()):
            if member.serves:
                group.start_soon(self._warm, member)

    async def _warm(self, member: Member) -> None:
        try:
            await member.start(self._group)
        except ConflictError:  # the registry was closed before its turn came
            return
        except GleitzeitError as error:
            _logger.warning("%s", error)

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Have one request carried out, and return what the provider returned, or raise what it raised.

        Raises `MethodNotFoundError`, `ValidationError` for parameters that do not fit, and `ProviderUnavailableError`
        where the provider could not be initialised, or too many requests wait for it already.
        """
        member = self._roster.member(method)
        while not member.ready:  # it may be closed again before its turn comes
            await member.start(self._group)
        return await member.call(method, dict(parameters))

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say.

        Raises `MethodNotFoundError`, naming the nearest method, and `ProviderCrashedError` for what a provider raises
        unforeseen.
        """
        member = self._roster.member(method)
        if member.serves and not member.ready:
            await member.start(self._group)
        known = self._described
        try:
            spec = await member.provider.describe(method)
        except GleitzeitError:
            raise
        except Exception as error:
            _logger.exception("provider %s can't describe %s", member.provider.provider_id, method)
            raise ProviderCrashedError(
                f"{method} can't be described by its provider: {described(error)}",
                hint="this is a defect in the provider; the log has its traceback",
            ) from error
        if len(known) >= _MOST_DESCRIBED:  # names that end in `*` stand for any number of methods
            known.clear()
        known[method] = spec
        return spec

    def described(self, method: str) -> MethodSpec | None:
        """What `describe` said last; nothing where it may have changed since, or nobody has asked."""
        return self._described.get(method)

    async def cache_key(self, method: str, parameters: Mapping[str, Any]) -> CacheKey | None:
        """What decides a result beside method and parameters; nothing where its provider never has it kept.

        Only a provider that has something to say is started for it. Raises `MethodNotFoundError`, what the provider
        raises, and `ProviderCrashedError` for what it raises unforeseen.
        """
        member = self._roster.member(method)
        if not member.decides:
            return CacheKey()
        while not member.ready:
            await member.start(self._group)
        try:
            return _checked(await member.provider.cache_key(method, dict(parameters)))
        except GleitzeitError:
            raise
        except Exception as error:
            _logger.exception("provider %s can't say what decides %s", member.provider.provider_id, method)
            raise ProviderCrashedError(described(error), hint="the log has its traceback") from error

    async def list_methods(self) -> list[MethodSpec]:
        """All methods there are now, by name; a provider that can't say is left out."""
        found: dict[str, MethodSpec] = {}
        async with anyio.create_task_group() as group:
            for member in list(self._roster.members.values()):
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
            for member in list(self._roster.members.values()):
                group.start_soon(member.check_health)
        return self.overview()

    async def examine(self) -> dict[str, list[Finding]]:
        """What each provider finds out about itself, all at once; those that are not started are started for it."""
        findings = {name: [_broken(broken)] for name, broken in self._roster.broken.items()}
        members = dict(self._roster.members)
        findings |= {name: [] for name in members}
        async with anyio.create_task_group() as group:
            for name, member in members.items():
                group.start_soon(_enter_findings, name, partial(self._examined, member), findings[name])
        return findings

    async def examine_settings(self) -> dict[str, list[Finding]]:
        """What each provider that could be loaded says of its settings; none is started for it."""
        members = dict(self._roster.members)
        findings: dict[str, list[Finding]] = {name: [] for name in members}
        async with anyio.create_task_group() as group:
            for name, member in members.items():
                group.start_soon(_enter_findings, name, member.provider.examine_settings, findings[name])
        return findings

    async def _examined(self, member: Member) -> Sequence[Finding]:
        await member.start(self._group)
        return await member.provider.examine()

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


def _checked(key: object) -> CacheKey | None:
    """What a provider returned, which nobody may have checked before."""
    if key is None or isinstance(key, CacheKey):
        return key
    raise TypeError(f"cache_key returned {type(key).__name__}, not a CacheKey")


async def _enter_findings(name: str, look: Callable[[], Awaitable[Sequence[Finding]]], findings: list[Finding]) -> None:
    """Add what a look at a provider finds; what goes wrong with it is a finding too."""
    try:
        with anyio.fail_after(EXAMINATION_SECONDS):
            findings += await look()
    except GleitzeitError as error:
        findings.append(Finding.of(name, error))
    except TimeoutError:
        findings.append(Finding(name, "error", f"not examined within {EXAMINATION_SECONDS:g} s"))
    except Exception as error:
        _logger.exception("provider %s can't be examined", name)
        fix = "this is a defect in the provider; the log has its traceback"
        findings.append(Finding(name, "error", f"can't be examined: {described(error)}", fix))


def _broken(overview: ProviderOverview) -> Finding:
    """A provider that could not be loaded, as a finding."""
    fix = "mend the module, or take it out of providers.modules or of the installed packages"
    return Finding(overview.name, "error", f"could not be loaded: {overview.error}", fix)
