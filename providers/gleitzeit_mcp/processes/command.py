"""How a server's command is found: its program on PATH, its folder, its environment."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.processes.inherited import inherited
from gleitzeit_mcp.processes.login_path import login_path
from gleitzeit_mcp.processes.whereabouts import find_program, joined, which

_NODE = "install Node.js (https://nodejs.org), which brings it, or give its full path in `command`"
_UV = "install uv (https://docs.astral.sh/uv), which brings it, or give its full path in `command`"
_FIXES = {
    "npx": _NODE,
    "node": _NODE,
    "npm": _NODE,
    "uvx": _UV,
    "uv": _UV,
    "docker": "install Docker, or give its full path in `command`",
}


@dataclass(frozen=True, slots=True)
class Command:
    """What is started, where, and with which environment; the environment may hold secrets."""

    argv: tuple[str, ...]
    folder: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


async def find_command(server: Server) -> Command:
    """The command of a server whose variables are filled in, found as a login shell would find it.

    Raises `ConfigurationError` saying what to install or to change where it cannot be started.
    """
    environment = {**inherited(os.environ), **server.env}
    path = environment.get("PATH", os.defpath)
    folder = _folder(server)
    program, *arguments = _words(server, path)
    if _is_path(program):
        found = which(_located(program, folder), path)
        # Whoever names npx by its full path may have node beside it, and nowhere else.
        path = path if found is None or "PATH" in server.env else joined(path, str(Path(found).parent))
    elif "PATH" in server.env:  # whoever gives a PATH means that one
        found = which(program, path)
    else:
        whereabouts = await find_program(program, path)
        found = whereabouts.program if whereabouts is not None else None
        path = whereabouts.path if whereabouts is not None else path
    if found is None:
        raise await _missing(server, program)
    return Command((found, *arguments), folder, {**environment, "PATH": path})


def program_of(server: Server) -> str:
    """The program that a server's command names: by its name, or by a path."""
    return _words(server, os.environ.get("PATH", os.defpath))[0]


def _words(server: Server, path: str) -> list[str]:
    if not isinstance(server.command, str):
        return [*server.command, *server.args]
    if server.args or which(server.command, path) is not None:
        return [server.command, *server.args]
    return split(server.command, sys.platform) or [server.command]


def split(command: str, platform: str) -> list[str]:
    """A command line in its words, as a shell of that platform reads it; to Windows a backslash is no escape."""
    if platform != "win32":
        return shlex.split(command)
    return [word.strip('"') for word in shlex.split(command, posix=False)]


def _folder(server: Server) -> str | None:
    if server.working_dir is None:
        return None
    folder = Path(server.working_dir).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(
            f'server "{server.name}": working_dir {folder} is not a folder', hint="create it, or change working_dir"
        )
    return str(folder)


def _is_path(program: str) -> bool:
    return Path(program).expanduser().name != program


def _located(program: str, folder: str | None) -> str:
    """A path in `command` is meant from the working directory, as a shell would read it there."""
    path = Path(program).expanduser()
    return str(path if path.is_absolute() or folder is None else Path(folder) / path)


async def _missing(server: Server, program: str) -> ConfigurationError:
    if _is_path(program):
        return ConfigurationError(
            f'server "{server.name}": {program} is not there, or cannot be executed',
            hint="correct `command` in the configuration",
        )
    return ConfigurationError(
        f'server "{server.name}": the command {program} is not on {await _places(server)}',
        hint=fix_for(program),
    )


def fix_for(program: str) -> str:
    """What to do about a program that is nowhere."""
    return _FIXES.get(program, f"install {program}, or give its full path in `command`")


async def _places(server: Server) -> str:
    if "PATH" in server.env:
        return "the PATH of its env"
    problem = (await login_path()).problem
    said = f" ({problem})" if problem else ""
    return f"PATH, on that of the login shell{said}, or where programs usually are"
