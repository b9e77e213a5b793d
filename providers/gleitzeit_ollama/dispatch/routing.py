"""What it would cost to send a request to a node: the formula by which the pool decides.

    cost = 1.5 * wait + service / weight + load + displaced - saved / (1 + depth / 2)

in seconds, for one request and one node that is up, has the model and may get one more:

wait       until a place is free: what is in flight there (moving averages less the time it has had) and who comes first
service    the moving average of what a request takes there, longer the more else the node does at the same time
weight     how much the node is preferred; it does not divide the wait, for that is measured and has the speed in it
load       the moving average of what the model takes into memory, where it is not, or what is left of it
displaced  what others lose by a model that has to leave for it
saved      what is spared by a beginning of the prompt that the node has at hand, less the more (`depth`) comes before

The least cost is the earliest finish time (as HEFT schedulers have it) on measured averages (as balancers by peak EWMA
have them). A node that is worth waiting for is waited for in the pool, not in the node's own queue, so that the choice
can be taken back. Waiting counts more than its time, for it holds up those behind too: whoever only looks after himself
waits for a fast server too long (the slow server problem). A handful of nodes is compared in full; there is no need for
the power of two choices.
"""

from __future__ import annotations

from dataclasses import dataclass

_WAITING = 1.5
"""What a second of waiting counts."""

_CROWDING = 0.25
"""How much longer a request is taken to last for each one beside it on its node."""

_OVERDUE = 0.5
"""Who takes longer than the average is taken to need this part of the time that it has had already."""

_DISPLACED = 2.0
"""What a second of loading a model again counts: who asked for it waits, and the node does nothing else meanwhile."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a request would meet at a node, in seconds; `depth` counts the requests that it would have to wait for.

    `cold` says whether the model has to be loaded for it. `open` says whether the request may be sent now; where it may
    not, it can only wait for the node.
    """

    wait: float
    service: float
    load: float = 0.0
    displaced: float = 0.0
    saved: float = 0.0
    depth: int = 0
    weight: float = 1.0
    cold: bool = False
    open: bool = True

    @property
    def expected(self) -> float:
        """Seconds until the request would be answered."""
        return self.wait + self.load + self.service - self.saved


def cost(outlook: Outlook) -> float:
    """The price of a node for a request; the least one is taken."""
    spared = outlook.saved / (1 + outlook.depth / 2)
    return _WAITING * outlook.wait + outlook.service / outlook.weight + outlook.load + outlook.displaced - spared


def remaining(average: float, elapsed: float) -> float:
    """Seconds that something in progress is taken to last from now on; the longer it is overdue, the longer."""
    return max(average - elapsed, elapsed * _OVERDUE)


def crowded(service: float, others: float) -> float:
    """What a request takes beside `others` on the same node."""
    return service * (1 + _CROWDING * others)


def alone(service: float, others: float) -> float:
    """What it would have taken without them."""
    return service / crowded(1.0, others)


def displaced(load: float, asking: float, elsewhere: int) -> float:
    """What is lost when a model leaves that so many are about to ask for, and that is in memory `elsewhere` too."""
    return _DISPLACED * load * asking / (1 + elsewhere)


def share_at_hand(prefix: tuple[str, ...], kept: tuple[str, ...]) -> float:
    """The part of a prompt's known beginnings that another prompt had too, from 0 to 1."""
    common = 0
    for one, other in zip(prefix, kept, strict=False):
        if one != other:
            break
        common += 1
    return common / len(prefix) if prefix else 0.0
