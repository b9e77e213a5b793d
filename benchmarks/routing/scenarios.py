"""The situations in which routers are compared: written before the router, and not changed to suit it.

All times are in seconds, on a clock of the simulation's own. A node of speed 2 does everything in half the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

SEEDS = (1, 2, 3, 4, 5)
HELD_OUT = (3001, 3002, 3003, 3004, 3005)
"""Seeds that no choice in the router was made by."""

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Model:
    """What requests of one model take on a node of speed 1: mean seconds for the prompt and for the answer.

    `load` is what it takes into memory. `spread` is the sigma of the lognormal distribution that lengths follow.
    `share` is its part of all requests. Each request begins with one of `prefixes` texts, the first being the most
    common (1, 1/2, 1/3 ...), and `shared` of its prompt is that text; 0 prefixes: no two begin alike.
    """

    name: str
    prompt: float = 0.3
    answer: float = 1.7
    load: float = 6.0
    spread: float = 0.5
    share: float = 1.0
    prefixes: int = 0
    shared: float = 0.9

    @property
    def work(self) -> float:
        """Seconds that one request takes on the average where nothing is shared."""
        return self.prompt + self.answer


@dataclass(frozen=True, slots=True)
class Node:
    """One Ollama: `slots` is OLLAMA_NUM_PARALLEL, `memory` OLLAMA_MAX_LOADED_MODELS.

    Each request beside it slows a request down by `crowding`. `told` is whether the configuration names the slots,
    `installed` which models it has (none given: all), `warm` which are in memory at first. While it `stalls` nothing
    moves, and nobody is told; while it is `away` connections break, and it comes back with an empty memory.
    """

    speed: float = 1.0
    slots: int = 1
    memory: int = 3
    crowding: float = 0.3
    weight: float = 1.0
    told: bool = True
    installed: tuple[str, ...] = ()
    warm: tuple[str, ...] = ()
    stalls: tuple[Span, ...] = ()
    away: tuple[Span, ...] = ()

    @property
    def capacity(self) -> float:
        """How much work it does in a second with all slots of one model in use."""
        return self.speed * self.slots / (1 + self.crowding * (self.slots - 1))


@dataclass(frozen=True, slots=True)
class Scenario:
    """Nodes, models and a demand: requests that come at random, `burst` at once, at `load` of what the nodes can do."""

    name: str
    nodes: tuple[Node, ...]
    models: tuple[Model, ...] = field(default=(Model("a"),))
    load: float = 0.6
    requests: int = 300
    burst: int = 1
    runs: int = 4

    @property
    def rate(self) -> float:
        """Requests in a second."""
        shares = sum(model.share for model in self.models)
        work = sum(model.share * model.work for model in self.models) / shares
        return self.load * sum(node.capacity for node in self.nodes) / work


def _alike(count: int, node: Node) -> tuple[Node, ...]:
    return (node,) * count


def _of_speeds(speeds: Sequence[float], node: Node) -> tuple[Node, ...]:
    return tuple(replace(node, speed=speed) for speed in speeds)


WARM = Node(warm=("a",))
THREE = (Model("a", share=3), Model("b", share=2, prompt=0.2, answer=0.8), Model("c", prompt=0.6, answer=3.4))
UNLIKE_LOADS = (Model("a", load=2), Model("b", load=8), Model("c", load=25, prompt=0.5, answer=3.5))
LONG_PROMPTS = (Model("a", prompt=3.0, answer=1.0, prefixes=12),)

SCENARIOS = (
    Scenario("equal nodes, light load", _alike(4, WARM), load=0.3),
    Scenario("equal nodes, heavy load", _alike(4, WARM), load=0.9),
    Scenario("unlike speeds, light load", _of_speeds((4, 2, 1, 1), WARM), load=0.4),
    Scenario("unlike speeds, heavy load", _of_speeds((4, 2, 1, 1), WARM), load=0.9),
    Scenario("three models, cold start", _alike(3, Node()), THREE, load=0.5),
    Scenario("cold loads of unlike cost", _alike(4, Node(memory=2)), UNLIKE_LOADS, load=0.4),
    Scenario("less memory than models", _alike(2, Node(memory=1)), (Model("a", share=3), Model("b")), load=0.5),
    Scenario("three models, four nodes, memory for one", _alike(4, Node(memory=1, slots=2, speed=2)), THREE, load=0.35),
    Scenario(
        "models on some nodes",
        (Node(installed=("a",)), Node(installed=("a",)), Node(), Node(installed=("a", "b")), Node(speed=2)),
        THREE,
        load=0.6,
    ),
    Scenario("skewed prefixes", _alike(4, WARM), LONG_PROMPTS, load=0.6),
    Scenario("skewed prefixes, unlike speeds", _of_speeds((3, 1, 1), replace(WARM, slots=2)), LONG_PROMPTS, load=0.8),
    Scenario("a node that stalls", (*_alike(3, WARM), replace(WARM, stalls=((60.0, 140.0),))), load=0.6),
    Scenario(
        "a fast node that stalls",
        (replace(WARM, speed=3, slots=2, stalls=((30.0, 90.0),)), *_alike(3, replace(WARM, slots=2))),
        load=0.5,
    ),
    Scenario("slots of unlike number", tuple(replace(WARM, slots=slots) for slots in (1, 2, 4)), load=0.7),
    Scenario("slots to be found out", tuple(replace(WARM, slots=slots, told=False) for slots in (1, 2, 4)), load=0.7),
    Scenario("bursts", _of_speeds((2, 1, 1), replace(WARM, slots=2)), load=0.5, burst=24),
    Scenario("a heavy tail", _alike(4, WARM), (Model("a", spread=1.6),), load=0.6),
    Scenario(
        "weights as the speeds are",
        tuple(replace(WARM, speed=speed, weight=speed) for speed in (3.0, 1.0, 1.0)),
        load=0.7,
    ),
    Scenario("a node that leaves and returns", (*_alike(2, WARM), replace(WARM, away=((60.0, 150.0),))), load=0.6),
    Scenario("more than they can do", _of_speeds((2, 1), replace(WARM, slots=2)), load=1.3),
    Scenario(
        "all at once",
        (
            Node(speed=4, slots=4, memory=2, told=False),
            Node(speed=2, slots=2, memory=2, stalls=((80.0, 120.0),)),
            Node(speed=2, slots=1, memory=1, installed=("a", "b")),
            Node(speed=1, slots=2, memory=3, away=((50.0, 100.0),)),
            Node(speed=1, slots=1, memory=2, told=False),
            Node(speed=1, slots=1, memory=1, installed=("a",)),
        ),
        (
            Model("a", share=4, prompt=1.5, answer=1.0, prefixes=6),
            Model("b", share=2, load=10, spread=1.0),
            Model("c", prompt=0.5, answer=4.0, load=15),
        ),
        load=0.55,
        burst=6,
    ),
)
