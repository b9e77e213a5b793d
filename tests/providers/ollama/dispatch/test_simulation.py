"""The simulated Ollama follows the real one's rules, and the router is better on it than the usual ones."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest
from benchmarks.routing.ours import Dispatched
from benchmarks.routing.scenarios import SCENARIOS, SEEDS, Model, Node, Scenario
from benchmarks.routing.simulation import Clock, OllamaNode, Request
from benchmarks.routing.trial import outcome
from benchmarks.routing.yardsticks import YARDSTICKS

A = Model("a", load=6.0)
B = Model("b", load=6.0)


@dataclass
class Ear:
    """Hears when things happen."""

    clock: Clock
    order: str = ""
    moments: list[float] = field(default_factory=list[float])
    prompts: list[float] = field(default_factory=list[float])
    loads: list[float] = field(default_factory=list[float])

    def began(self, request: Request) -> None:
        assert request.ended is None

    def ended(self, request: Request, load_seconds: float, prompt_seconds: float) -> None:
        self.order += request.model.name
        self.moments.append(self.clock.now)
        self.loads.append(load_seconds)
        self.prompts.append(prompt_seconds)

    def broken(self, request: Request) -> None:
        raise AssertionError(request)


def asked(shape: Node, *models: Model, prefix: str | None = None) -> Ear:
    """All at once, one second of prompt and one of answer each."""
    clock = Clock()
    node, ear = OllamaNode(shape, clock), Ear(clock)
    for number, model in enumerate(models):
        node.take(Request(number, model, "", 0.0, prompt=1.0, answer=1.0, prefix=prefix), ear)
    clock.run(lambda: len(ear.order) == len(models))
    return ear


def test_one_slot_answers_in_series_however_many_wait() -> None:
    ear = asked(Node(warm=("a",)), A, A, A)
    assert ear.moments == pytest.approx([2, 4, 6])


def test_two_slots_answer_two_at_once_and_each_a_little_slower() -> None:
    ear = asked(Node(warm=("a",), slots=2, crowding=0.5), A, A)
    assert ear.moments == pytest.approx([3, 3])


def test_a_cold_model_is_loaded_first_and_says_how_long_that_took() -> None:
    ear = asked(Node(speed=2), A)
    assert ear.order == "a"
    assert ear.moments == pytest.approx([4])
    assert ear.loads == pytest.approx([3])


def test_a_model_makes_room_only_when_it_is_idle_and_holds_up_what_comes_after() -> None:
    ear = asked(Node(warm=("a",), memory=1), A, B, A)
    assert ear.order == "aab"
    assert ear.moments == pytest.approx([2, 4, 12])


def test_a_beginning_at_hand_saves_its_part_of_the_prompt() -> None:
    ear = asked(Node(warm=("a",)), A, A, prefix="p")
    assert ear.prompts == pytest.approx([1.0, 0.1])


def test_a_node_that_stalls_does_nothing_meanwhile() -> None:
    ear = asked(Node(warm=("a",), stalls=((1.5, 11.5),)), A)
    assert ear.moments == pytest.approx([12])


def named(name: str) -> Scenario:
    return next(scenario for scenario in SCENARIOS if scenario.name == name)


def test_the_same_seed_gives_the_same_to_the_last_digit() -> None:
    scenario = replace(named("all at once"), requests=60)
    assert outcome(scenario, 1, Dispatched) == outcome(scenario, 1, Dispatched)


@pytest.mark.parametrize(
    "name", ["unlike speeds, heavy load", "cold loads of unlike cost", "a node that stalls", "slots to be found out"]
)
def test_the_router_is_better_than_each_of_the_usual_ones(name: str) -> None:
    scenario, seed = named(name), SEEDS[0]
    ours = outcome(scenario, seed, Dispatched)
    others = [outcome(scenario, seed, make) for make in YARDSTICKS.values()]
    assert ours.mean < min(other.mean for other in others)
    assert ours.p95 < 1.02 * min(other.p95 for other in others)


def test_there_are_scenarios_enough_and_each_has_a_name_of_its_own() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS) >= 12
