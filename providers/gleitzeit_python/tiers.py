"""`Tiers`: where code can be run on this machine, found out by running some, and which of them a request gets."""

from __future__ import annotations

import logging
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import anyio

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, ProviderUnavailableError, UnsupportedError
from gleitzeit.core.groups import only_error
from gleitzeit.providers.base import Readiness
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.proof import proven, unavailable
from gleitzeit_python.sandbox.base import Availability, Packages, Sandbox, Tier
from gleitzeit_python.sandbox.names import STRENGTH

AGAIN = 60.0
"""Seconds after which a tier that could not be had is tried again."""

UNCONFIGURED = Availability(
    "docker",
    available=False,
    reason="providers.python.docker is not set",
    hint="start Docker and write `docker: {}` under providers.python",
)
"""Docker is taken by itself only where it is wanted, for the first look at it makes an image."""

Prove = Callable[[Sandbox, Packages], Awaitable[Availability]]
"""Tries an open sandbox out."""

_CLOSING = "it is being closed"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a request says of where it is to run."""

    tier: Tier | None = None
    min_tier: Tier | None = None


@dataclass(eq=False, slots=True)
class _Held:
    tier: Tier
    settled: anyio.Event = field(default_factory=anyio.Event)
    sandbox: Sandbox | None = None
    found: Availability | None = None
    at: float = 0.0


class Tiers:
    """Opens a tier when it is first needed, and keeps it open as long as `serve` runs."""

    def __init__(self, settings: PythonSettings, make: Callable[[Tier], Sandbox], prove: Prove | None = None) -> None:
        self._settings = settings
        self._make = make
        self._prove = prove or proven
        self._held: dict[Tier, _Held] = {}
        self._asked: deque[_Held] = deque()
        self._wake = anyio.Event()
        self._serving = False

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold tiers open until cancelled."""
        self._serving = True
        task_status.started()
        try:
            await self._hold_all()
        finally:
            self._serving = False
            for held in self._held.values():
                held.settled.set()
            self._held.clear()
            self._asked.clear()

    async def sandbox(self, wanted: Wanted) -> Sandbox:
        """Where a request runs. Raises `UnsupportedError` where there is nothing as strong as it has to be."""
        least = max(STRENGTH[tier] for tier in (self._settings.min_tier, wanted.min_tier, "none") if tier is not None)
        refused: list[Availability] = []
        if wanted.tier is not None:
            least = max(least, await self._strength_of_choice())
        for tier in self.candidates() if wanted.tier is None else (wanted.tier,):
            if STRENGTH[tier] < least or (tier == "none" and self._settings.chosen != "none"):
                refused.append(Availability(tier, available=False, reason="it is weaker than what is asked for"))
                continue
            held = await self._opened(tier)
            if held.sandbox is not None:
                return held.sandbox
            refused.append(held.found or Availability(tier, available=False, reason=_CLOSING))
        if wanted.tier is None and self._settings.chosen == "auto" and self._settings.docker is None:
            refused.append(UNCONFIGURED)
        raise _refusal(refused, wanted)

    async def availability(self, tier: Tier) -> Availability:
        """Whether a tier can be had, found out anew where it could not be before."""
        held = self._held.get(tier)
        if held is not None and held.sandbox is None and held.settled.is_set():
            del self._held[tier]
        held = await self._opened(tier)
        return held.found or Availability(tier, available=False, reason=_CLOSING)

    def candidates(self) -> Sequence[Tier]:
        """The tiers that a request may get by itself, the best first."""
        chosen = self._settings.chosen
        if chosen != "auto":
            return (chosen,)
        docker: tuple[Tier, ...] = ("docker",) if self._settings.docker is not None else ()
        return ("ns", "ll", "wasm", *docker) if sys.platform == "linux" else ("wasm", *docker)

    async def _strength_of_choice(self) -> int:
        """How strong what it would get by itself is: a request may ask for more than that, never for less."""
        chosen = self._settings.chosen
        if chosen != "auto":  # also where it cannot be had just now
            return STRENGTH[chosen]
        for tier in self.candidates():
            if (await self._opened(tier)).sandbox is not None:
                return STRENGTH[tier]
        return 0

    async def _opened(self, tier: Tier) -> _Held:
        if not self._serving:
            raise ProviderUnavailableError("the provider of python/* is not running", hint="open the registry first")
        held = self._held.get(tier)
        if held is not None and held.settled.is_set() and held.sandbox is None and time.monotonic() - held.at > AGAIN:
            held = None
        if held is None:
            held = self._held[tier] = _Held(tier)
            self._asked.append(held)
            self._wake.set()
        await held.settled.wait()
        return held

    async def _hold_all(self) -> None:
        """Started here, and not by the request that asks, for what is held outlives the request's task."""
        async with anyio.create_task_group() as group:
            while True:
                self._wake = anyio.Event()
                while self._asked:
                    group.start_soon(self._hold, self._asked.popleft())
                await self._wake.wait()

    async def _hold(self, held: _Held) -> None:
        """Keep one tier open; what breaks it is told, and the next request opens it anew."""
        try:
            sandbox = self._make(held.tier)
            async with sandbox.open():
                held.found = await self._prove(sandbox, self._settings.packages)
                if not held.found.available:
                    return
                held.sandbox = sandbox
                held.settled.set()
                await anyio.sleep_forever()
        except Exception as raised:  # a tier that breaks must not take the others along
            error = only_error(raised)
            if not isinstance(error, GleitzeitError):
                _logger.error("the tier %s of the sandbox failed", held.tier, exc_info=error)
            held.found = unavailable(held.tier, error)
        finally:
            if held.sandbox is not None and self._held.get(held.tier) is held:
                del self._held[held.tier]
            held.sandbox = None
            held.at = time.monotonic()
            held.settled.set()


def _refusal(refused: Sequence[Availability], wanted: Wanted) -> GleitzeitError:
    reasons = "; ".join(f"{entry.tier}: {entry.reason}" for entry in refused)
    if wanted.tier is not None and any(entry.reason.startswith("it is weaker") for entry in refused):
        return ForbiddenError(
            f"tier: {wanted.tier} is weaker than where this server runs code",
            hint="leave it out; a request may only ask for a stronger one",
        )
    hint = next((entry.hint for entry in refused if entry.hint), None)
    return UnsupportedError(
        f"there is no sandbox for this code ({reasons})",
        hint=hint or "`gleitzeit doctor` says what this machine has",
        details={"tiers": {entry.tier: entry.reason for entry in refused}},
    )
