"""Foreign text in a prompt: between fences that it can't close, so that it stays data."""

from __future__ import annotations

import re

from gleitzeit.mcp_server.rendering.answer import cut

_TICKS = re.compile(r"`{3,}")


def quoted(text: str, most: int, kind: str = "text") -> str:
    """At most about `most` bytes of a text between fences; marks that hide or turn text around are made visible."""
    shown = "".join(_visible(character) for character in cut(text.strip("\n"), most))
    ticks = "`" * max([3, *(len(run) + 1 for run in _TICKS.findall(shown))])
    return f"{ticks}{kind}\n{shown}\n{ticks}"


def _visible(character: str) -> str:
    if character.isprintable() or character in "\n\t":
        return character
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"
