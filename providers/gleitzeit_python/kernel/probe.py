"""Whether `ns` and `ll` can be had here: found out by running code in them that tries to get out."""

from __future__ import annotations

import platform
import secrets
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_python.kernel.sandbox import KernelSandbox, KernelSettings, KernelTier
from gleitzeit_python.sandbox.base import Availability, Job, Limits, Outcome, Packages, Silent
from gleitzeit_python.sandbox.needs import ELSEWHERE, NEEDS

PROCESSORS = ("x86_64", "aarch64", "arm64")
START_SECONDS = 20.0

_ATTEMPTS = """
import os, socket

def read(): return open(args["secret"]).read()
def write(): open(args["folder"] + "/written", "w").close()
def connect(): socket.socket()
def fork(): os.fork()
def execute(): os.execv(args["python"], [args["python"]])
def signal(): os.kill(os.getppid() or -1, 0)

result = []
for attempt in (read, write, connect, fork, execute, signal):
    try:
        attempt()
    except OSError:
        continue
    result.append(attempt.__name__)
"""


async def probe(tier: KernelTier) -> Availability:
    """Run code under a tier, and see that it works and is kept in."""
    reason = foreign()
    if reason:
        return Availability(tier, False, reason, ELSEWHERE)
    sandbox = KernelSandbox(tier, KernelSettings(standby=0))
    async with sandbox.open():
        return await proven(sandbox)


async def proven(sandbox: KernelSandbox, packages: Packages = "host") -> Availability:
    """The same of a sandbox that is open."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-probe-") as name:
        folder = Path(name)
        secret = secrets.token_hex(16)
        await anyio.Path(folder, "secret").write_text(secret, encoding="ascii")
        await anyio.Path(folder).chmod(0o777)  # it is to be the sandbox that holds code back, not these permissions
        await anyio.Path(folder, "secret").chmod(0o644)
        with anyio.move_on_after(START_SECONDS):
            return await _tried(sandbox, folder, packages)
    reason = f"it did not start within {START_SECONDS:g} s"
    return Availability(sandbox.kind, False, reason, NEEDS[sandbox.kind])


def foreign() -> str:
    """Why this system cannot have these tiers; nothing where it may."""
    if sys.platform != "linux":
        return f"it needs Linux, and this is {platform.system()}"
    if platform.machine() not in PROCESSORS:
        return f"the system calls of the processor {platform.machine()} are not known"
    return ""


async def _tried(sandbox: KernelSandbox, folder: Path, packages: Packages) -> Availability:
    tier = sandbox.kind
    arguments = {"secret": str(folder / "secret"), "folder": str(folder), "python": sys.executable}
    job = Job(_ATTEMPTS, args=arguments, packages=packages, limits=Limits(timeout=START_SECONDS))
    try:
        outcome = await sandbox.run(job, Silent())
    except GleitzeitError as error:
        return Availability(tier, False, error.message, error.hint or NEEDS[tier])
    return _judged(tier, outcome, sandbox.facts())


def _judged(tier: KernelTier, outcome: Outcome, facts: Mapping[str, Any]) -> Availability:
    if outcome.ended != "exited" or outcome.exit_code != 0:
        words = outcome.problem.message if outcome.problem else outcome.ended
        return Availability(tier, False, f"code does not run in it: {words}", NEEDS[tier])
    if outcome.value != []:
        return Availability(tier, False, f"it did not hold back: {', '.join(map(str, outcome.value))}", NEEDS[tier])
    return Availability(tier, True, facts=facts)
