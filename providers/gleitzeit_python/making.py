"""The sandbox of each tier, made from the settings; what a tier needs is imported when it is first wanted."""

from __future__ import annotations

import sys
from typing import Any, cast

from gleitzeit.core.errors import UnsupportedError
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.config import DockerSettings, PythonSettings
from gleitzeit_python.proof import proven
from gleitzeit_python.sandbox.base import Availability, Packages, Sandbox, Tier
from gleitzeit_python.sandbox.needs import ELSEWHERE


def sandbox_of(tier: Tier, settings: PythonSettings, hub: Any = None) -> Sandbox:
    """The sandbox of a tier, not yet open. Raises `UnsupportedError` where this system cannot have it."""
    match tier:
        case "ns" | "ll":
            return _kernel(tier, settings)
        case "docker":
            return _docker(settings, hub)
        case "wasm":
            return _wasm(settings)
        case "none":
            from gleitzeit_python.plain.sandbox import PlainSandbox  # only where somebody wants it

            return PlainSandbox(quota_of(settings))


async def proof_of(sandbox: Sandbox, packages: Packages) -> Availability:
    """Whether a sandbox that is open works and keeps code in, found out by code that tries to get out."""
    if sandbox.tier in ("ns", "ll"):
        from gleitzeit_python.kernel.probe import proven as proven_to_hold  # see below
        from gleitzeit_python.kernel.sandbox import KernelSandbox

        assert isinstance(sandbox, KernelSandbox)
        return await proven_to_hold(sandbox, packages)
    return await proven(sandbox, packages)


def quota_of(settings: PythonSettings) -> Quota:
    """How much the code of one job may ask."""
    received = (32 << 20) + 2 * settings.max_artifacts
    return Quota(calls=settings.calls.max_calls, received=received)


def _kernel(tier: Tier, settings: PythonSettings) -> Sandbox:
    if sys.platform != "linux":
        raise UnsupportedError(f"the tier {tier} needs Linux, and this is {sys.platform}", hint=ELSEWHERE)
    from gleitzeit_python.kernel.probe import foreign  # none of it works elsewhere
    from gleitzeit_python.kernel.sandbox import KernelSandbox, KernelSettings, KernelTier

    reason = foreign()
    if reason:
        raise UnsupportedError(f"the tier {tier} can't be had: {reason}", hint=ELSEWHERE)
    return KernelSandbox(
        cast("KernelTier", tier),
        KernelSettings(
            standby=min(settings.workers, 8),
            recycle=settings.recycle,
            preload=tuple(settings.allowed_modules or ()),
            disk=settings.max_disk,
            packages=settings.packages,
            quota=quota_of(settings),
        ),
    )


def _docker(settings: PythonSettings, hub: Any) -> Sandbox:
    from gleitzeit_python.docker.hub import DockerHub  # imports docker
    from gleitzeit_python.docker.sandbox import DockerSandbox

    section = settings.docker or DockerSettings()
    if not isinstance(hub, DockerHub):
        hub = DockerHub(**section.model_dump(), memory=settings.memory, disk=settings.max_disk)
    return DockerSandbox(hub, quota_of(settings))


def _wasm(settings: PythonSettings) -> Sandbox:
    from gleitzeit_python.wasm.sandbox import WasmSandbox  # imports what only the extra brings

    return WasmSandbox(min(settings.workers, 4), quota=quota_of(settings))
