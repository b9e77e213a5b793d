"""What a node has in its memory, as far as one can know: what it said, and what was sent there since."""

from __future__ import annotations

from dataclasses import dataclass

from gleitzeit_ollama.dispatch.base import LoadOptions, Want

USUAL_CAPACITY = 3
"""OLLAMA_MAX_LOADED_MODELS where it is not set."""


@dataclass(slots=True)
class Resident:
    """A model in memory: with which options, where that is known, and when it was used and loaded last."""

    load: LoadOptions | None
    used: float
    loaded: float = 0.0

    def fits(self, want: Want) -> bool:
        """Whether a request needs no loading; who asks for no options takes those of the server."""
        return want.load == (self.load or ())


class Memory:
    """The models of one node that need no loading, by name.

    How many it holds is `learnt` from what had to leave or had to wait; until then it is as `usual` with other nodes.
    `seen` is how many it ever held at once.
    """

    def __init__(self) -> None:
        self.residents: dict[str, Resident] = {}
        self.learnt: int | None = None
        self.usual = USUAL_CAPACITY
        self.seen = 0

    @property
    def capacity(self) -> int:
        """How many models it is taken to hold."""
        return max(self.usual, self.seen) if self.learnt is None else self.learnt

    def see(self, loaded: frozenset[str], busy: frozenset[str], *, full: bool, now: float) -> None:
        """Learn what the node says; what is `busy` may be on its way there still, and is held up where it is `full`."""
        gone = [model for model in self.residents if model not in loaded and model not in busy]
        newest = max((resident.loaded for resident in self.residents.values()), default=0.0)
        if full or any(self.residents[model].used < newest for model in gone):
            self.learnt = max(len(loaded), 1)
        elif self.learnt is not None:
            self.learnt = max(self.learnt, len(loaded))
        self.seen = max(self.seen, len(loaded))
        for model in gone:
            del self.residents[model]
        for model in loaded:
            self.residents.setdefault(model, Resident(None, now))
        self._trim(busy)

    def use(self, want: Want, busy: frozenset[str], now: float) -> None:
        """Note that a model is used, and loaded for it where it was not there."""
        resident = self.residents.get(want.model)
        if resident is not None and resident.fits(want):
            resident.used = now
            return
        self.residents[want.model] = Resident(want.load, now, now)
        self._trim(busy | {want.model})

    def was_gone(self, model: str, busy: frozenset[str], now: float) -> None:
        """Note that a model had to be loaded although it was taken to be there: another had taken its room."""
        self.learnt = max(min(self.capacity, len(self.residents) - 1), 1)
        known = self.residents.get(model)
        self.residents[model] = Resident(known.load if known else None, now, now)
        self._trim(busy | {model})

    def _trim(self, busy: frozenset[str]) -> None:
        """Count out what has to leave: what nobody uses, the least recently used first."""
        while len(self.residents) > self.capacity:
            del self.residents[min(self.residents, key=lambda model: (model in busy, self.residents[model].used))]
