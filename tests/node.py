"""The Node that the npm packages of the tests run on: some of them want a newer one than many machines have."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

MODULES = Path(__file__).parent / "servers" / "node_modules"

_NEWER = 22
_MACHINES = {"x86_64": "x64", "aarch64": "arm64"}


@cache
def newer_node() -> str | None:
    """A Node of version 22 or later: the system's, else the one that npm has brought."""
    found = shutil.which("node")
    if found is not None and _version(found) >= _NEWER:
        return found
    machine = _MACHINES.get(platform.machine(), platform.machine())
    brought = MODULES / f"node-{platform.system().lower()}-{machine}" / "bin" / "node"
    return str(brought) if brought.is_file() else None


def unavailable(program: Path) -> str | None:
    """Why a program out of an npm package, which wants that Node, can't be run here, if it can't."""
    if not program.is_file():
        return "the npm packages are not installed: make test installs them"
    if newer_node() is None:
        return f"this needs Node {_NEWER}, of which npm has builds for Linux on x64 and arm64 alone"
    return None


def _version(program: str) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return int(answer.removeprefix("v").partition(".")[0])
