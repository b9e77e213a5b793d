"""Workflows that crashes meet: chains, fans, retries, items, nested calls, children, and what must not repeat."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]


def step(task_id: str, chance: random.Random, **fields: Any) -> Document:
    """A task that may run again."""
    parameters = {"value": task_id, "nap": nap(chance), **fields.pop("parameters", {})}
    return {"id": task_id, "method": "chaos/step", "parameters": parameters, **fields}


def once(task_id: str, chance: random.Random, **fields: Any) -> Document:
    """A task that must not run again after a crash: by its own word, or as its method's nature."""
    parameters = {"value": task_id, "nap": nap(chance)}
    if chance.random() < 0.5:
        return {"id": task_id, "method": "chaos/once", "parameters": parameters, **fields}
    return {"id": task_id, "method": "chaos/step", "parameters": parameters, "retry_on_crash": False, **fields}


def nap(chance: random.Random) -> float:
    """Some milliseconds."""
    return round(chance.uniform(0.0, 0.03), 4)


def chain(chance: random.Random) -> Document:
    """One after the other, the middle one at most once."""
    return {
        "name": "chain",
        "tasks": [
            step("first", chance),
            once("once", chance, dependencies=["first"]),
            step("last", chance, dependencies=["once"]),
        ],
    }


def fan(chance: random.Random) -> Document:
    """Side by side, one at most once, and then together."""
    names = ["left", "middle", "right"]
    tasks = [step(name, chance) for name in names]
    end = step("end", chance, dependencies=[*names, "once"], trigger_rule="all_done")
    return {"name": "fan", "tasks": [*tasks, once("once", chance), end]}


def retrying(chance: random.Random) -> Document:
    """Works at the third attempt."""
    retry = {"max_attempts": 8, "delay": 0.02, "max_delay": 0.05}
    task = step("again", chance, parameters={"failures": 2}, retry=retry)
    return {"name": "retrying", "tasks": [task, step("after", chance, dependencies=["again"])]}


def failing(chance: random.Random) -> Document:
    """Fails for good, and goes around it."""
    tasks = [
        step("bad", chance, parameters={"failures": 1000}, on_error="continue"),
        step("after", chance, dependencies=["bad"]),
        step("never", chance, when="after.value == 'other'"),
    ]
    return {"name": "failing", "tasks": tasks}


def items(chance: random.Random) -> Document:
    """One task for each of some items, a few at once."""
    each = step("each", chance, foreach=list(range(6)), max_parallel=3, parameters={"value": "${item}"})
    return {"name": "items", "tasks": [each, step("after", chance, dependencies=["each"])]}


def nested(chance: random.Random) -> Document:
    """Code that calls other methods."""
    method = chance.choice(("chaos/step", "chaos/once"))
    parameters = {"count": 3, "nap": nap(chance), "method": method}
    word = {"calls": [method], "retry_on_crash": True}
    task = {"id": "outer", "method": "chaos/nest", "parameters": parameters, **word}
    return {"name": "nested", "tasks": [task, step("after", chance, dependencies=["outer"])]}


def family(chance: random.Random) -> Document:
    """A run that has a child."""
    child = {"name": "child", "tasks": [step("one", chance), step("two", chance, dependencies=["one"])]}
    task = {"id": "parent", "method": "workflow/run", "parameters": {"workflow": child}, "retry_on_crash": True}
    return {"name": "family", "tasks": [task, step("after", chance, dependencies=["parent"])]}


KINDS: tuple[Callable[[random.Random], Document], ...] = (chain, fan, retrying, failing, items, nested, family)


def some(chance: random.Random) -> Document:
    """Any of them."""
    return chance.choice(KINDS)(chance)


def gated(gate: str, method: str = "chaos/gate", **fields: Any) -> Document:
    """A run that ends only after a gate was opened."""
    tasks = [
        {"id": "before", "method": "chaos/step", "parameters": {"value": "before"}},
        {"id": "held", "method": method, "parameters": {"gate": gate}, "dependencies": ["before"], **fields},
        {"id": "after", "method": "chaos/step", "parameters": {"value": "after"}, "dependencies": ["held"]},
    ]
    return {"name": "gated", "tasks": tasks}
