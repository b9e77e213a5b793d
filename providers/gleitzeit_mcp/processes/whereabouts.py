"""Where a program is: on PATH, on that of the login shell, or where installers usually put it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gleitzeit_mcp.processes.login_path import login_path
from gleitzeit_mcp.processes.usual_places import usual_places

Origin = Literal["PATH", "login shell", "usual place"]


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A program with its full path, and the PATH under which it was found, for it finds its own helpers there."""

    program: str
    path: str
    origin: Origin


async def find_program(program: str, path: str) -> Whereabouts | None:
    """Where `program` is; the login shell is asked only for what is not on `path`."""
    found = which(program, path)
    if found is not None:
        return Whereabouts(found, path, "PATH")
    of_shell = (await login_path()).value
    if of_shell is not None:
        whole = joined(of_shell, path)
        found = which(program, whole)
        if found is not None:
            return Whereabouts(found, whole, "login shell")
        path = whole
    return _in_usual_place(program, path)


def which(program: str, path: str) -> str | None:
    """The full path of a program that can be started: a name on `path`, or a path itself."""
    suffixes = os.environ.get("PATHEXT", "").split(os.pathsep) if sys.platform == "win32" else ()
    found = shutil.which(program, path=path)
    return startable(found, program, suffixes)


def startable(found: str | None, program: str, suffixes: Iterable[str]) -> str | None:
    """What Windows can start of a program: `npx.cmd`, and not the shell script `npx` beside it; elsewhere `found`.

    A script for `cmd` is started by Windows itself as any other program is, so nothing comes before it.
    """
    base = found or program
    if Path(base).suffix or (found is None and Path(base).name == base):
        return found
    named = (f"{base}{suffix.lower()}" for suffix in suffixes if suffix)
    return next((path for path in named if Path(path).is_file()), found)


def joined(*paths: str) -> str:
    """Several PATHs as one, each folder once, the earlier first."""
    folders = (folder for path in paths for folder in path.split(os.pathsep) if folder)
    return os.pathsep.join(dict.fromkeys(folders))


def _in_usual_place(program: str, path: str) -> Whereabouts | None:
    for folder in usual_places(Path.home(), os.environ):
        found = which(program, folder)
        if found is not None:
            return Whereabouts(found, joined(folder, path), "usual place")
    return None
