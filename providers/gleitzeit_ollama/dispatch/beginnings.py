"""Which beginnings of prompts a node still has at hand, by model: one for each of its slots."""

from __future__ import annotations

from gleitzeit_ollama.dispatch.routing import share_at_hand


class Beginnings:
    """The latest prompts of one model on one node, the oldest first."""

    def __init__(self) -> None:
        self._kept: list[tuple[str, ...]] = []

    def share(self, prefix: tuple[str, ...]) -> float:
        """The part of a prompt that is at hand."""
        if not prefix:
            return 0.0
        alike = [share_at_hand(prefix, kept) for kept in self._kept if kept and kept[0] == prefix[0]]
        return max(alike, default=0.0)

    def put(self, prefix: tuple[str, ...], slots: int) -> None:
        """Note a prompt: it takes the slot with the most of it, else the one that was used longest ago."""
        best = max(self._kept, key=lambda kept: share_at_hand(prefix, kept), default=None)
        if best is not None and share_at_hand(prefix, best) > 0:
            self._kept.remove(best)
        self._kept.append(prefix)
        del self._kept[:-slots]
