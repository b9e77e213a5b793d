"""One scenario, one seed, one router: what each request took."""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from benchmarks.routing.scenarios import Model, Scenario
from benchmarks.routing.simulation import Client, Clock, OllamaNode, Request

LOOK = 10.0
"""Seconds between two looks at the nodes, as `health_interval` is by default."""


class Router(Client, Protocol):
    """What is compared."""

    def arrive(self, request: Request) -> None:
        """A request has come."""
        ...

    def changed(self) -> None:
        """A node went or came."""
        ...

    def look(self) -> None:
        """Time to look at the nodes."""
        ...


Maker = Callable[[Scenario, Sequence[OllamaNode], Clock, int], Router]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from arrival to the end: the mean and the 95th percentile, and how often a model was loaded."""

    mean: float
    p95: float
    loads: float


def demand(scenario: Scenario, seed: int) -> list[Request]:
    """The requests of a scenario, the same for all routers."""
    dice = random.Random(f"{scenario.name} {seed}")
    moment = 0.0
    requests: list[Request] = []
    while len(requests) < scenario.requests:
        moment += dice.expovariate(scenario.rate / scenario.burst)
        requests += [_request(scenario, dice, len(requests) + at, moment) for at in range(scenario.burst)]
    return requests


def _request(scenario: Scenario, dice: random.Random, number: int, moment: float) -> Request:
    model = dice.choices(scenario.models, [model.share for model in scenario.models])[0]
    return Request(
        number=number,
        model=model,
        run=f"run {dice.randrange(scenario.runs)}",
        arrived=moment,
        prompt=_length(dice, model.prompt, model.spread),
        answer=_length(dice, model.answer, model.spread),
        prefix=_prefix(dice, model),
    )


def _length(dice: random.Random, mean: float, spread: float) -> float:
    return dice.lognormvariate(math.log(mean) - spread**2 / 2, spread)


def _prefix(dice: random.Random, model: Model) -> str | None:
    if not model.prefixes:
        return None
    ranks = range(model.prefixes)
    return f"{model.name} {dice.choices(ranks, [1 / (rank + 1) for rank in ranks])[0]}"


def outcome(scenario: Scenario, seed: int, make: Maker) -> Outcome:
    """What one router made of it."""
    clock = Clock()
    nodes = [OllamaNode(shape, clock) for shape in scenario.nodes]
    requests = demand(scenario, seed)
    _plan(clock, nodes, make(scenario, nodes, clock, seed), requests)
    left = list(requests)

    def finished() -> bool:
        while left and left[-1].ended is not None:
            left.pop()
        return not left

    clock.run(finished)
    seconds = sorted(request.ended - request.arrived for request in requests if request.ended is not None)
    loads = sum(node.loads for node in nodes)
    return Outcome(statistics.fmean(seconds), seconds[math.ceil(0.95 * len(seconds)) - 1], loads)


def _plan(clock: Clock, nodes: Sequence[OllamaNode], router: Router, requests: Sequence[Request]) -> None:
    for request in requests:
        clock.at(request.arrived, partial(router.arrive, request))
    for node in nodes:
        for begin, end in node.shape.away:
            clock.at(begin, partial(_change, node.leave, router))
            clock.at(end, partial(_change, node.come_back, router))
    clock.at(0.0, partial(_look, clock, router))


def _change(change: Callable[[], None], router: Router) -> None:
    change()
    router.changed()


def _look(clock: Clock, router: Router) -> None:
    router.look()
    clock.at(clock.now + LOOK, partial(_look, clock, router))
