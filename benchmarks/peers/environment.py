"""The environments of the peers: made when they are first needed, of pinned packages, under `.bench/`."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rounds import ROOT

ENVIRONMENTS = ROOT / ".bench"
REQUIREMENTS = Path(__file__).parent


class NotInstalledError(Exception):
    """A peer's packages could not be had; the message is the installer's last word."""


def python_of(peer: str) -> Path:
    """The interpreter that has the packages of `<peer>.txt`, installed if they are not. Raises `NotInstalledError`."""
    requirements = REQUIREMENTS / f"{peer}.txt"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    place = ENVIRONMENTS / f"{peer}-{digest}"
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    complete = place / "complete"
    if not complete.exists():
        shutil.rmtree(place, ignore_errors=True)
        for command in installation(place, python, requirements):
            install(command)
        complete.touch()
    return python


def installation(place: Path, python: Path, requirements: Path) -> Sequence[Sequence[str | Path]]:
    """The commands that make an environment and fill it."""
    uv = shutil.which("uv")
    if uv and subprocess.run([uv, "--version"], capture_output=True, check=False).returncode == 0:
        return [
            [uv, "venv", "--quiet", "--python", sys.executable, place],
            [uv, "pip", "install", "--quiet", "--python", python, "-r", requirements],
        ]
    return [
        [sys.executable, "-m", "venv", place],
        [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
    ]


def install(command: Sequence[str | Path]) -> None:
    """Run an installer. Raises `NotInstalledError` with what it said last."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotInstalledError(f"could not be installed: {error}") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise NotInstalledError(f"could not be installed: {said[-1].strip()}")
