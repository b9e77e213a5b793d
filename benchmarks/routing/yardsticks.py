"""The usual ways to choose a node, as proxies do: at once when a request arrives, among those that have the model."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence

from benchmarks.routing.scenarios import Scenario
from benchmarks.routing.simulation import Clock, OllamaNode, Request


class Yardstick(ABC):
    """Sends each request on as it comes, and again where a node broke; it knows at once who is up."""

    def __init__(self, scenario: Scenario, nodes: Sequence[OllamaNode], clock: Clock, seed: int) -> None:
        self.nodes = nodes
        self.in_flight = [0] * len(nodes)
        self.random = random.Random(seed)
        self._where: dict[int, int] = {}
        self._held: list[Request] = []

    @abstractmethod
    def choose(self, request: Request, nodes: Sequence[int]) -> int:
        """One of the nodes, by number."""

    def arrive(self, request: Request) -> None:
        """A request has come."""
        usable = [at for at, node in enumerate(self.nodes) if node.up and node.has(request.model.name)]
        if not usable:
            self._held.append(request)
            return
        at = self._where[request.number] = self.choose(request, usable)
        self.in_flight[at] += 1
        self.nodes[at].take(request, self)

    def changed(self) -> None:
        """A node went or came."""
        held, self._held = self._held, []
        for request in held:
            self.arrive(request)

    def look(self) -> None:
        """Time to look at the nodes."""

    def began(self, request: Request) -> None:
        """Its first byte came."""

    def ended(self, request: Request, load_seconds: float, prompt_seconds: float) -> None:
        """It is answered."""
        self.in_flight[self._where[request.number]] -= 1

    def broken(self, request: Request) -> None:
        """Its node vanished."""
        self.in_flight[self._where[request.number]] -= 1
        self.arrive(request)

    def least(self, nodes: Sequence[int]) -> int:
        """The one with the fewest in flight for its weight, whichever of those that are level."""
        depth = {at: (self.in_flight[at] + 1) / self.nodes[at].shape.weight for at in nodes}
        fewest = min(depth.values())
        return self.random.choice([at for at in nodes if depth[at] == fewest])


class Random(Yardstick):
    """Whichever, by weight."""

    def choose(self, request: Request, nodes: Sequence[int]) -> int:
        """Throw a die."""
        return self.random.choices(nodes, [self.nodes[at].shape.weight for at in nodes])[0]


class RoundRobin(Yardstick):
    """One after the other, by weight, smoothly as nginx does it."""

    def __init__(self, scenario: Scenario, nodes: Sequence[OllamaNode], clock: Clock, seed: int) -> None:
        super().__init__(scenario, nodes, clock, seed)
        self._credit = [0.0] * len(nodes)

    def choose(self, request: Request, nodes: Sequence[int]) -> int:
        """Whose turn it is."""
        for at in nodes:
            self._credit[at] += self.nodes[at].shape.weight
        chosen = max(nodes, key=lambda at: self._credit[at])
        self._credit[chosen] -= sum(self.nodes[at].shape.weight for at in nodes)
        return chosen


class LeastConnections(Yardstick):
    """The one with the fewest requests in flight, by weight."""

    def choose(self, request: Request, nodes: Sequence[int]) -> int:
        """Count."""
        return self.least(nodes)


class WarmFirst(Yardstick):
    """The one with the fewest in flight among those that have the model in memory; it always knows which."""

    def choose(self, request: Request, nodes: Sequence[int]) -> int:
        """Look at what is loaded, then count."""
        warm = [at for at in nodes if request.model.name in self.nodes[at].loaded]
        return self.least(warm or nodes)


YARDSTICKS: dict[str, type[Yardstick]] = {
    "random": Random,
    "round-robin": RoundRobin,
    "least-connections": LeastConnections,
    "warm-first": WarmFirst,
}
