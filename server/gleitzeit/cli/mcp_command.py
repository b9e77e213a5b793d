"""`gleitzeit mcp` as the list of commands shows it; the command itself never gets this far."""

from __future__ import annotations

import typer

from gleitzeit.cli.mcp import serve
from gleitzeit.cli.options import ConfigOption


def mcp(config: ConfigOption = None) -> None:
    """Speak MCP over stdio, as hosts want it."""
    raise typer.Exit(serve([] if config is None else ["--config", str(config)], "gleitzeit mcp"))
