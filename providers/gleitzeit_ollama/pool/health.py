"""Whether a node may be asked: what looks at it and requests to it have shown. Pure values."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.dispatch.base import NodeState

_STRIKES = 3
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class Health:
    """A circuit breaker: `down` opens it, and `trial` lets one request through.

    A node that did not answer looks is healthy once it answers one. One that answers looks but fails requests,
    `tripped`, has to carry out a request first. `failures` counts how often in a row it was found to be unwell,
    `strikes` the requests that failed since one succeeded; `error` is what was wrong last.
    """

    state: NodeState = "unknown"
    tripped: bool = False
    failures: int = 0
    strikes: int = 0
    error: GleitzeitError | None = None

    def looked_well(self) -> Health:
        """After a look at the node that it answered."""
        if self.tripped:
            return replace(self, state="trial") if self.state == "down" else self
        return replace(self, state="healthy", failures=0, error=None)

    def looked_bad(self, error: GleitzeitError) -> Health:
        """After a look at the node that it did not answer as an Ollama does."""
        return replace(self, state="down", failures=self.failures + 1, error=error)

    def looked_slow(self, error: GleitzeitError) -> Health:
        """After a look that took too long, which at first only shows that the machine is busy."""
        if self.state == "healthy" and self.failures == 0:
            return replace(self, failures=1, error=error)
        return self.looked_bad(error)

    def began(self) -> Health:
        """After the node has begun to answer a request."""
        return replace(self, state="healthy", tripped=False, failures=0)

    def ended(self) -> Health:
        """After the node has answered a request to its end."""
        return _WELL

    def refused(self, error: GleitzeitError) -> Health:
        """After a request that the node failed, as another node might not have."""
        if self.state == "down":  # several requests fail together, which is one failure of the node
            return replace(self, error=error)
        if isinstance(error, ProviderUnavailableError) or error.details.get("foreign"):
            return self.looked_bad(error)
        strikes = self.strikes + 1
        if strikes < _STRIKES and self.state != "trial" and not isinstance(error, TookTooLong):
            return replace(self, strikes=strikes, error=error)
        return Health("down", tripped=True, failures=self.failures + 1, strikes=strikes, error=error)

    def pause(self, interval: float) -> float:
        """Seconds until the node is looked at again: `interval`, or soon and then less and less often if looks fail."""
        if self.failures == 0:
            return interval
        return min(min(_FIRST_PAUSE, interval) * 2.0 ** min(self.failures - 1, 16), _LONGEST_PAUSE)


_WELL = Health("healthy")
