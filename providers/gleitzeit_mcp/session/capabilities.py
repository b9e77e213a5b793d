"""What this client tells a server that it can do."""

from __future__ import annotations

from typing import Any

from gleitzeit_mcp.versions import PREFIX

TASKS = PREFIX + "tasks"
"""The extension by which a server may turn a call into a task of its own (SEP-2663)."""


def client_capabilities(*, roots: bool, sampling: bool) -> dict[str, Any]:
    """Answering questions and following tasks always; folders and models where the configuration offers them."""
    return {
        "elicitation": {"form": {}, "url": {}},
        "extensions": {TASKS: {}},
        **({"roots": {}} if roots else {}),
        **({"sampling": {}} if sampling else {}),
    }
