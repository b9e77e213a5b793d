"""The commands `gleitzeit` and `gleitzeit-mcp`; what must start fast takes a short way here."""

from __future__ import annotations

import sys

from gleitzeit.version import __version__


def main() -> int:
    """Carry out the command line and return its exit code."""
    arguments = sys.argv[1:]
    if arguments in (["--version"], ["-V"]):
        print(f"gleitzeit {__version__}")
        return 0
    if arguments[:1] == ["mcp"]:
        return _speak_mcp(arguments[1:], "gleitzeit mcp")
    from gleitzeit.cli.app import carry_out  # typer and rich cost more than the commands above take

    return carry_out(arguments)


def serve_stdio() -> int:
    """Carry out `gleitzeit-mcp`: speak MCP over standard input and output until the host hangs up."""
    return _speak_mcp(sys.argv[1:], "gleitzeit-mcp")


def _speak_mcp(arguments: list[str], program: str) -> int:
    from gleitzeit.cli.mcp import speak_mcp  # `--version` does without it

    return speak_mcp(arguments, program)
