"""The versions of the protocol that are spoken here."""

from __future__ import annotations

MODERN = "2026-07-28"
HANDSHAKE = "2025-11-25"
HANDSHAKE_VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", HANDSHAKE)

PREFIX = "io.modelcontextprotocol/"
"""How the keys begin that the protocol itself puts into `_meta`."""


def is_modern(version: str | None) -> bool:
    """Whether each request stands for itself, without a session that a handshake began."""
    return version == MODERN
