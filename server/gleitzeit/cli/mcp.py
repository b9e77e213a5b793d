"""`gleitzeit mcp` and `gleitzeit-mcp`: MCP over standard input and output, started without anything that costs time."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from gleitzeit.cli import exits
from gleitzeit.cli.garbage import look_seldom
from gleitzeit.version import __version__

if TYPE_CHECKING:  # at run time the first answer is out before it is needed
    from gleitzeit.application import Application

_USAGE = """\
Usage: {program} [--config FILE]

Speak MCP over standard input and output, until the host hangs up. Meant to be started by a host:
`gleitzeit install HOST` enters it in Claude Desktop, Claude Code, Cursor or VS Code.

Options:
  --config FILE  Use this configuration instead of ~/.gleitzeit/config.yaml.
  --version      Print the version.
  -h, --help     Print this.
"""

_AT_A_TERMINAL = """\
{program} waits for an MCP host on standard input; Ctrl-C ends it.
`gleitzeit install claude-desktop` enters it in a host, `gleitzeit demo` shows what it does.
"""


def speak_mcp(arguments: list[str], program: str) -> int:
    """Serve the host behind standard input and return the exit code; 2 for an option that there is not."""
    if not {"-h", "--help"}.isdisjoint(arguments):
        sys.stdout.write(_USAGE.format(program=program))
        return 0
    if arguments == ["--version"]:
        sys.stdout.write(f"gleitzeit {__version__}\n")
        return 0
    config, problem = _config_option(arguments)
    if problem:
        sys.stderr.write(f"error: {problem}\n\n{_USAGE.format(program=program)}")
        return exits.USAGE
    if config is not None and not config.is_file():
        sys.stderr.write(f"error: there is no file {config}\n  hint: --config names an existing configuration\n")
        return exits.NOT_FOUND
    if sys.stdin.isatty():
        sys.stderr.write(_AT_A_TERMINAL.format(program=program))
    from gleitzeit.cli.last_resort import end_in_time
    from gleitzeit.mcp_server.stdio import run_stdio  # what is printed above does without the SDK

    look_seldom()
    return run_stdio(lambda: _application(config), end_in_time, lambda: _is_bare(config))


def _config_option(arguments: list[str]) -> tuple[Path | None, str]:
    """The file that `--config` names, and what is wrong with the arguments."""
    config: Path | None = None
    rest = list(arguments)
    while rest:
        option, separator, value = rest.pop(0).partition("=")
        if option != "--config":
            return None, f"there is no option {option}" if option.startswith("-") else f"unexpected argument {option}"
        if not separator and rest:
            value = rest.pop(0)
        if not value:
            return None, "--config needs a file"
        config = Path(value).expanduser()
    return config, ""


def _is_bare(config: Path | None) -> bool:
    from gleitzeit.cli.foresight import has_only_fixed_tools  # needed once, for the first list of tools

    return has_only_fixed_tools(config)


def _application(config: Path | None) -> AbstractAsyncContextManager[Application]:
    from gleitzeit.application import open_application  # the first answer is out before this is needed
    from gleitzeit.cli.chosen_configuration import configured

    return open_application(configured(config))
