"""How a server's command is found: its program on PATH, its folder, its environment."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.inherited import inherited

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


def find_command(server: Server) -> Command:
    """The command of a server whose variables are filled in.

    Raises `ConfigurationError` saying what to install or to change where it cannot be started.
    """
    environment = {**inherited(os.environ), **server.env}
    folder = _folder(server)
    program, *arguments = _words(server)
    found = shutil.which(_located(program, folder), path=environment.get("PATH"))
    if found is None:
        raise _missing(server, program, environment)
    return Command((found, *arguments), folder, environment)


def _words(server: Server) -> list[str]:
    if not isinstance(server.command, str):
        return [*server.command, *server.args]
    if server.args or shutil.which(server.command) is not None:
        return [server.command, *server.args]
    return shlex.split(server.command) or [server.command]


def _folder(server: Server) -> str | None:
    if server.working_dir is None:
        return None
    folder = Path(server.working_dir).expanduser()
    if not folder.is_dir():
        raise ConfigurationError(
            f'server "{server.name}": working_dir {folder} is not a folder', hint="create it, or change working_dir"
        )
    return str(folder)


def _located(program: str, folder: str | None) -> str:
    """A path in `command` is meant from the working directory, as a shell would read it there."""
    path = Path(program).expanduser()
    if path.name == program:
        return program
    return str(path if path.is_absolute() or folder is None else Path(folder) / path)


def _missing(server: Server, program: str, environment: Mapping[str, str]) -> ConfigurationError:
    name = Path(program).name
    if name != program:
        return ConfigurationError(
            f'server "{server.name}": {program} is not there, or cannot be executed',
            hint="correct `command` in the configuration",
        )
    return ConfigurationError(
        f'server "{server.name}": the command {program} is not on PATH ({environment.get("PATH", os.defpath)})',
        hint=_FIXES.get(name, f"install {name}, or give its full path in `command`"),
    )
