"""How the servers of this folder are started that need no SDK."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]
OWNER = "tests.providers.mcp.servers.owner"
ERAS = ["legacy", "modern"]

_lives = count()


def raw(script: str, *args: str, era: str = "legacy", **others: Any) -> dict[str, Any]:
    """The settings of one of them, named like its script: `raw("listing", "pages", timeout=5)`."""
    # With settings of its own, so that what is remembered of a server is never that of another test.
    environment = {"ERA": era, "LIFE": str(next(_lives))}
    command = [sys.executable, "-S", "-m", f"tests.providers.mcp.servers.{script}", *args]
    return {"name": script, "command": command, "working_dir": str(ROOT), "env": environment, **others}
