"""Whether a server's command is there, also for a host that was started from the desktop."""

from __future__ import annotations

import sys
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.findings import Finding
from gleitzeit.core.graphical_path import GRAPHICAL_PATHS
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.processes.command import find_command, program_of
from gleitzeit_mcp.processes.whereabouts import Whereabouts, find_program


async def command_findings(subject: str, server: Server, platform: str = sys.platform) -> list[Finding]:
    """What is to be said of the command of a server whose variables are filled in."""
    try:
        command = await find_command(server)
    except ConfigurationError as error:
        message = error.message.removeprefix(f'server "{server.name}": ')
        return [Finding(subject, "error", message, error.hint)]
    program = program_of(server)
    graphical = GRAPHICAL_PATHS.get(platform)
    if graphical is None or program != Path(program).name or "PATH" in server.env:
        return []
    seen = await find_program(program, graphical)
    return [_judged(subject, program, command.argv[0], seen)]


def _judged(subject: str, program: str, started: str, seen: Whereabouts | None) -> Finding:
    """`started` is what is started here, `seen` what a host from the desktop would have Gleitzeit find."""
    if seen is None:
        message = (
            f"{program} is found on PATH as it is here, but not where a host that was started from the desktop looks"
        )
        return Finding(subject, "warning", message, _full(started))
    if seen.origin == "PATH":
        return Finding(subject, "ok", f"{program} is {seen.program}")
    where = "on PATH of the login shell" if seen.origin == "login shell" else "where installers put it"
    message = f"{program} is only found {where}: a host that was started from the desktop has another PATH"
    return Finding(subject, "warning", message, _full(seen.program))


def _full(program: str) -> str:
    return f"write its full path as `command`: {program}"
