"""What may be wrong with a node."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

MODEL_PATHS = frozenset({"/api/chat", "/api/generate", "/api/embed", "/api/embeddings"})

Kind = Literal[
    "silent",  # accepts a request and never answers
    "slow",  # a byte every `seconds`
    "closed",  # hangs up instead of answering
    "html",  # a page, with status 200
    "stranger",  # 404 in HTML for everything: another program
    "busy",  # 503
    "broken",  # 500: the runner has died
    "missing",  # 404: the model is not there, whatever the listing says
    # after `after` tokens
    "reset",  # a broken connection
    "stall",  # nothing more comes
    "crash",  # the line that tells of a dead runner
    "no_done",  # the end, without a word
]


@dataclass(slots=True)
class Fault:
    """A fault of a kind, for the next `times` requests to models, or for as long as it is set.

    `paths` are what it is for; None is everything. `after` are the tokens that come before it.
    """

    kind: Kind
    times: int | None = None
    after: int = 1
    seconds: float = 1.0
    paths: Collection[str] | None = MODEL_PATHS

    def strikes(self, path: str) -> bool:
        """Whether this request gets it; it counts as one of its `times`."""
        if self.times == 0 or (self.paths is not None and path not in self.paths):
            return False
        if self.times is not None:
            self.times -= 1
        return True
