"""Random workflows and outcomes in random order, reopened from their rows at random: the plan keeps its promises."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gleitzeit.core.models import TaskState, Workflow
from gleitzeit.core.plan import Plan
from gleitzeit.core.plan_actions import Action, Continue, Finish, Join, Outcome, OutcomeKind, Rest, Skip, Start

RARELY = st.integers(0, 3).map(lambda number: number == 3)
SETTLED = {"completed", "failed", "skipped", "cancelled"}


@dataclass(frozen=True)
class Row:
    state: TaskState
    expanded: int | None = None


@st.composite
def workflows(draw: st.DrawFn) -> Workflow:
    count = draw(st.integers(1, 10))
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        task: dict[str, Any] = {"id": f"t{number}", "method": "test/do"}
        task["dependencies"] = [f"t{need}" for need in range(number) if draw(st.integers(0, 2)) == 0]
        if draw(RARELY):
            task["trigger_rule"] = "all_done"
        if draw(RARELY):
            task["on_error"] = "continue"
        if draw(RARELY):
            task["foreach"] = []
            if draw(st.booleans()):
                task["max_parallel"] = draw(st.integers(1, 3))
        if draw(st.booleans()):
            task["when"] = True
        tasks.append(task)
    shuffled = draw(st.permutations(tasks))
    limits = {"max_parallel_tasks": draw(st.integers(1, 4)), "continue_on_error": draw(RARELY)}
    return Workflow.model_validate({"tasks": shuffled, "settings": limits})


class World:
    """Carries out what a plan says, with outcomes by chance, and checks each step."""

    def __init__(self, workflow: Workflow, seed: int, *, unknown: bool) -> None:
        self.workflow = workflow
        self.tasks = {task.id: task for task in workflow.tasks}
        self.chance = random.Random(seed)
        self.unknown = unknown
        self.rows: dict[str, Row] = {}
        self.running: set[str] = set()
        self.waiting: set[str] = set()
        self.resuming: set[str] = set()
        self.end: Finish | Rest | None = None
        self.plan = Plan.open(workflow, {})

    def run(self) -> None:
        self.take(self.plan.start())
        for _ in range(2_000):
            if self.end is not None and not self.waiting:
                return
            if self.chance.random() < 0.3:
                self.reopen()
            else:
                self.step()
        raise AssertionError("the run does not end")

    def step(self) -> None:
        choices = sorted(self.running) + sorted(self.waiting)
        if not choices:
            return
        key = self.chance.choice(choices)
        if key in self.waiting:
            self.waiting.remove(key)
            self.resuming.add(key)
            self.end = None
            self.take(self.plan.after(Outcome("resumed", key)))
            return
        self.running.remove(key)
        outcome = self.outcome(key)
        self.note(outcome)
        self.take(self.plan.after(outcome))

    def outcome(self, key: str) -> Outcome:
        task = self.tasks[key.partition("[")[0]]
        kinds: list[OutcomeKind] = ["completed", "completed", "failed"]
        if "[" not in key and task.when is not None:
            kinds.append("skipped")
        if "[" not in key and task.foreach is not None:
            return (
                Outcome("expanded", key, self.chance.randint(0, 5))
                if self.chance.random() < 0.8
                else Outcome("failed", key)
            )
        kinds.append("waiting")
        if self.unknown:
            kinds.append("unknown")
        return Outcome(self.chance.choice(kinds), key)

    def note(self, outcome: Outcome) -> None:
        assert self.rows.get(outcome.key, Row("pending")).state not in SETTLED, f"{outcome.key} ends twice"
        if outcome.kind == "waiting":
            self.waiting.add(outcome.key)
        match outcome.kind:
            case "expanded":
                self.rows[outcome.key] = Row("running", outcome.count)
            case "resumed":
                self.rows[outcome.key] = Row("running")
            case kind:
                self.rows[outcome.key] = Row(kind, self.rows.get(outcome.key, Row("pending")).expanded)

    def take(self, actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Start():
                    self.start(action)
                case Continue():
                    self.resuming.remove(action.key)
                    self.begin(action.key)
                case Skip():
                    self.check_skip(action)
                    self.note(Outcome("skipped", action.key))
                case Join():
                    self.join(action)
                case Finish() | Rest():
                    assert not self.running
                    self.end = action
        assert len(self.slots()) <= self.workflow.settings.max_parallel_tasks
        for task in self.workflow.tasks:
            if task.max_parallel is not None:
                assert len([key for key in self.slots() if key.startswith(f"{task.id}[")]) <= task.max_parallel

    def slots(self) -> list[str]:
        return [key for key in self.running if "[" in key or self.tasks[key].foreach is None]

    def start(self, action: Start) -> None:
        task = self.tasks[action.task_id]
        for need in task.dependencies:
            state = self.rows[need].state
            assert state in SETTLED, f"{task.id} starts before {need} is over"
            assert task.trigger_rule == "all_done" or not self.bad(need), f"{task.id} starts although {need} is bad"
        self.begin(action.key)

    def begin(self, key: str) -> None:
        assert key not in self.running
        self.rows[key] = Row("running")
        self.running.add(key)

    def bad(self, name: str) -> bool:
        """Told from the rows alone, the slow way."""
        task, state = self.tasks[name], self.rows[name].state
        if state == "failed":
            return task.on_error != "continue" and not self.workflow.settings.continue_on_error
        blocked = task.trigger_rule == "all_success" and any(self.bad(need) for need in task.dependencies)
        return state == "skipped" and blocked

    def check_skip(self, action: Skip) -> None:
        task = self.tasks[action.key]
        assert task.trigger_rule == "all_success"
        assert self.bad(action.blocker)
        assert action.blocker in task.dependencies

    def join(self, action: Join) -> None:
        count = self.rows[action.key].expanded
        assert count is not None
        states = [self.rows.get(f"{action.key}[{index}]", Row("pending")).state for index in range(count)]
        assert not {"running", "waiting"} & set(states)
        if action.state == "completed":
            assert set(states) <= {"completed", "failed"}
        self.rows[action.key] = Row(action.state, count)
        self.take(self.plan.after(Outcome(action.state, action.key)))

    def reopen(self) -> None:
        """Forget everything but the rows, as after a crash; those resuming are asked again."""
        for key in self.resuming:
            self.rows[key] = Row("waiting")
        self.waiting |= self.resuming
        self.resuming = set()
        again, shuffled = list(self.rows.items()), list(self.rows.items())
        self.chance.shuffle(shuffled)
        self.plan = Plan.open(self.workflow, dict(again))
        actions = self.plan.start()
        assert actions == Plan.open(self.workflow, dict(shuffled)).start(), "the same rows give another plan"
        self.running = set()
        self.end = None
        self.take(actions)


def ended(workflow: Workflow, seed: int, *, unknown: bool = False) -> World:
    world = World(workflow, seed, unknown=unknown)
    world.run()
    return world


@settings(max_examples=400, deadline=None)
@given(workflows(), st.integers(0, 2**32))
def test_every_run_ends_with_every_task_in_one_final_state(workflow: Workflow, seed: int) -> None:
    world = ended(workflow, seed)
    assert isinstance(world.end, Finish)
    assert all(world.rows[task.id].state in SETTLED for task in workflow.tasks)
    failed = tuple(task.id for task in workflow.tasks if world.rows[task.id].state == "failed" and world.bad(task.id))
    assert world.end == Finish("failed" if failed else "completed", failed)


@settings(max_examples=200, deadline=None)
@given(workflows(), st.integers(0, 2**32))
def test_a_run_with_unknown_tasks_rests_and_blocks_only_what_waits_for_them(workflow: Workflow, seed: int) -> None:
    world = ended(workflow, seed, unknown=True)
    states: Mapping[str, str] = {task.id: world.rows.get(task.id, Row("pending")).state for task in workflow.tasks}
    assert set(states.values()) <= SETTLED | {"unknown", "pending"}
    assert isinstance(world.end, Rest) == ("unknown" in states.values())
    for task in workflow.tasks:
        if states[task.id] == "pending":
            assert any(states[need] in ("unknown", "pending") for need in task.dependencies)
