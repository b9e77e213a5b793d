"""`Host`: a host that Gleitzeit can be entered in, and where its configuration is."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError


class Host(StrEnum):
    """A host whose configuration file is known."""

    CLAUDE_DESKTOP = "claude-desktop"
    CLAUDE_CODE = "claude-code"
    CURSOR = "cursor"
    VS_CODE = "vscode"

    @property
    def section(self) -> str:
        """The key of its file under which its servers are."""
        return "servers" if self is Host.VS_CODE else "mcpServers"


class Scope(StrEnum):
    """Where a host is to know the server: in this project, or everywhere."""

    PROJECT = "project"
    USER = "user"


def config_file(host: Host, scope: Scope) -> Path:
    """The file in which `host` looks for servers on this machine; Claude Desktop knows no projects."""
    home, here, project = Path.home(), Path.cwd(), scope is Scope.PROJECT
    match host:
        case Host.CLAUDE_DESKTOP:
            return application_folder("Claude") / "claude_desktop_config.json"
        case Host.CLAUDE_CODE:
            return here / ".mcp.json" if project else home / ".claude.json"
        case Host.CURSOR:
            return (here if project else home) / ".cursor" / "mcp.json"
        case Host.VS_CODE:
            return here / ".vscode" / "mcp.json" if project else application_folder("Code") / "User" / "mcp.json"


def application_folder(name: str) -> Path:
    """Where a program of the desktop keeps the settings of this user."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / name
    if sys.platform == "win32":
        return _application_data(name) / name
    return Path.home() / ".config" / name


def _application_data(name: str) -> Path:
    folder = os.environ.get("APPDATA")
    if not folder:
        raise ConfigurationError("APPDATA is not set", hint=f"set it to the folder that holds the folder {name}")
    return Path(folder)
