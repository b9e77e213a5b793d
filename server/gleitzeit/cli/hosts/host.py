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


class Scope(StrEnum):
    """Where Claude Code is to know the server: in this project, or everywhere."""

    PROJECT = "project"
    USER = "user"


def config_file(host: Host, scope: Scope) -> Path:
    """The file in which `host` looks for servers on this machine."""
    home = Path.home()
    if host is Host.CLAUDE_CODE:
        return Path.cwd() / ".mcp.json" if scope is Scope.PROJECT else home / ".claude.json"
    return application_folder("Claude") / "claude_desktop_config.json"


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
