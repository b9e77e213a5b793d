"""What is remembered of a server, so that it need not run to be described."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.home import home_folder, write_whole

_FORMAT = 1
_LARGEST = 4 * 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The tools of a server in their wire form, and what was learnt about it.

    `asks`: it puts questions while a call is under way. `handshake`: it does not survive to be asked for its era.
    """

    tools: Sequence[Any] = ()
    asks: bool = False
    handshake: bool = False


def read_manifest(server: Server) -> Manifest | None:
    """What is remembered of a server; nothing where its settings are others than they were, or the file is no use."""
    try:
        place = _place(server)
        kept = json.loads(place.read_bytes()) if place.stat().st_size <= _LARGEST else None
    except (OSError, ValueError, RuntimeError):
        return None
    if not is_object(kept) or kept.get("format") != _FORMAT or kept.get("settings") != _digest(server):
        return None
    tools = kept.get("tools")
    return Manifest(
        tools if is_list(tools) else (), asks=kept.get("asks") is True, handshake=kept.get("handshake") is True
    )


def write_manifest(server: Server, manifest: Manifest) -> None:
    """Remember it, whole or not at all; what is very large, or has no place to be written to, is not kept."""
    place = _place(server)
    text = json.dumps(
        {
            "format": _FORMAT,
            "server": server.name,
            "settings": _digest(server),
            "asks": manifest.asks,
            "handshake": manifest.handshake,
            "tools": list(manifest.tools),
        }
    )
    if len(text) > _LARGEST:
        return
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(place, text.encode())
    except (OSError, RuntimeError):
        return


def _place(server: Server) -> Path:
    safe = _UNSAFE.sub("_", server.name)[:60]
    name = hashlib.sha256(server.name.encode()).hexdigest()[:8]
    return home_folder() / "manifests" / f"{safe}-{name}.json"


def _digest(server: Server) -> str:
    """Tells settings apart that may lead to other tools; variables are not filled in, so no secret is in it."""
    named = {"connection_type", "command", "args", "url", "working_dir", "env"}
    return hashlib.sha256(server.model_dump_json(include=named).encode()).hexdigest()[:16]
