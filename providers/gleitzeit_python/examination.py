"""What `gleitzeit doctor` says of the sandbox: which tiers this machine has, and why not the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.findings import Finding
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.sandbox.base import Availability, Tier
from gleitzeit_python.sandbox.names import STRENGTH
from gleitzeit_python.tiers import UNCONFIGURED, Tiers

_ALL: tuple[Tier, ...] = ("ns", "ll", "docker", "wasm")
_UNPROTECTED = "code runs unprotected, with all rights of this server (providers.python.sandbox: false)"


async def examine(settings: PythonSettings, tiers: Tiers) -> list[Finding]:
    """A finding for each tier, and at first for the one that code gets."""
    wanted = tiers.candidates()
    found: dict[Tier, Availability] = {
        tier: await tiers.availability(tier) for tier in dict.fromkeys((*wanted, *_offered(settings)))
    }
    least = STRENGTH[settings.min_tier] if settings.min_tier is not None else 0
    chosen: Tier | None = next((tier for tier in wanted if found[tier].available and STRENGTH[tier] >= least), None)
    findings = [*examine_settings(settings), _choice(settings, chosen)]
    entries = [*found.values(), *([] if "docker" in found else [UNCONFIGURED])]
    return findings + [_finding(entry, needed=chosen is None and entry.tier in wanted) for entry in entries]


def examine_settings(settings: PythonSettings) -> list[Finding]:
    """What the settings say before anything is started."""
    if settings.sandbox:
        return []
    return [Finding("python", "warning", _UNPROTECTED, "set it to true, unless all code is your own")]


def _offered(settings: PythonSettings) -> Sequence[Tier]:
    """The tiers that are worth a look: Docker only where it is configured, for a look starts it."""
    return [tier for tier in _ALL if tier != "docker" or settings.docker is not None]


def _choice(settings: PythonSettings, chosen: Tier | None) -> Finding:
    if chosen is not None:
        return Finding("python", "ok", f"code runs in tier {chosen}, {settings.workers} jobs at once")
    return Finding(
        "python", "error", "code can't run: there is no sandbox for it", "see the tiers below for what they need"
    )


def _finding(entry: Availability, *, needed: bool) -> Finding:
    subject = f"python tier {entry.tier}"
    if entry.available:
        return Finding(subject, "ok", _facts(entry.facts))
    return Finding(subject, "error" if needed else "ok", f"not available: {entry.reason}", entry.hint or None)


def _facts(facts: Mapping[str, Any]) -> str:
    abi = facts.get("landlock_abi")
    return f"available, Landlock ABI {abi}" if abi is not None else "available"
