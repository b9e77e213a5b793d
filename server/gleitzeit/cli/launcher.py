"""How another program starts this very installation as an MCP server."""

from __future__ import annotations

import json
import os
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

DISTRIBUTION = "gleitzeit-mcp"
COMMAND = "gleitzeit-mcp"

# Folders of uv's cache in which `uvx` makes environments that it later throws away.
_PASSING_FOLDERS = frozenset({"archive-v0", "environments-v2", "builds-v0"})


def server_entry(config: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """The `mcpServers` entry of a host: absolute paths only, for hosts start servers with a bare PATH."""
    command, arguments = _command()
    if config is not None:
        arguments = [*arguments, "--config", str(config.absolute())]
    home = environment.get("GLEITZEIT_HOME")
    own = {"GLEITZEIT_HOME": str(Path(home).expanduser().absolute())} if home else {}
    return {"command": command, "args": arguments, "env": own}


def _command() -> tuple[str, list[str]]:
    if _is_passing(Path(sys.prefix)):
        uvx = shutil.which("uvx")
        if uvx is not None:
            return str(Path(uvx).absolute()), ["--from", _source(), COMMAND]
    script = Path(sysconfig.get_path("scripts")) / (COMMAND + (".exe" if os.name == "nt" else ""))
    if script.is_file():
        return str(script.absolute()), []
    return sys.executable, ["-P", "-m", "gleitzeit", "mcp"]


def _is_passing(prefix: Path) -> bool:
    return not _PASSING_FOLDERS.isdisjoint(prefix.parts)


def _source() -> str:
    """The folder that this distribution was installed from, else its name."""
    try:
        text = distribution(DISTRIBUTION).read_text("direct_url.json")
    except PackageNotFoundError:
        text = None
    url = urlsplit(str(json.loads(text)["url"]) if text else "")
    return url2pathname(url.path) if url.scheme == "file" else DISTRIBUTION
