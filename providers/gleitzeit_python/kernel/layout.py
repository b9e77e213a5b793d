"""`Layout`: what of the host's disk a worker may read."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import anyio

from gleitzeit.core.errors import ProviderUnavailableError

PROGRAM = Path(__file__).parents[1] / "worker" / "describe.py"


@dataclass(frozen=True, slots=True)
class Layout:
    """Paths that can be read, as `path` or `real=name`, and the folders of installed packages among them."""

    read_only: tuple[str, ...] = ()
    site_packages: tuple[str, ...] = ()

    def bare(self) -> Layout:
        """The same without installed packages."""
        below = tuple(f"{path}/" for path in self.site_packages)
        kept = (entry for entry in self.read_only if not f"{entry.rpartition('=')[2]}/".startswith(below or ("=",)))
        return Layout(tuple(kept))

    def changes(self) -> tuple[int, ...]:
        """What is different once packages were installed or removed."""
        return tuple(map(_changed, self.site_packages))


async def layout_of(python: str) -> Layout:
    """That of an interpreter, which describes itself. Raises `ProviderUnavailableError` where it does not run."""
    try:
        answer = await anyio.run_process([python, "-I", str(PROGRAM)], stdin=subprocess.DEVNULL, cwd="/")
    except (OSError, subprocess.CalledProcessError) as error:
        raise ProviderUnavailableError(f"{python} does not run: {error}") from error
    told = json.loads(answer.stdout)
    return Layout(tuple(binds(told["read_only"])), tuple(told["site_packages"]))


def binds(paths: Iterable[str]) -> list[str]:
    """Each path that is there, as `real=name` where links lead to it."""
    resolved = [(path, os.path.realpath(path)) for path in paths]
    return [path if real == path else f"{real}={path}" for path, real in resolved if Path(real).exists()]


def _changed(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns  # noqa: PTH116 no pathlib where each job comes by
    except OSError:
        return 0
