"""Edges, cycles, waves and drawings of workflows."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.graph import cycle, dependents, edges, mermaid, sinks, waves
from gleitzeit.core.models import Workflow


def workflow(**tasks: dict[str, Any]) -> Workflow:
    return Workflow.model_validate({"tasks": [{"id": name, "method": "a/b", **task} for name, task in tasks.items()]})


def test_references_are_dependencies_too() -> None:
    found = edges(
        workflow(
            fetch={"name": "Fetch it"},
            by_name={"dependencies": ["Fetch it"]},
            by_parameter={"parameters": {"x": ["${fetch.y}", {"z": "${by_name.z} ${inputs.q}"}]}},
            by_when={"when": "fetch.count > 1"},
            by_foreach={"foreach": '${tasks["by_when"].items}'},
            by_expression={"parameters": {"x": "${size(fetch.items) + by_when.n}"}},
            twice={"dependencies": ["fetch"], "parameters": {"x": "${fetch.y}"}},
            unknown={"dependencies": ["nobody"], "parameters": {"x": "${nobody.y} ${int} ${bad"}},
        )
    )
    assert found == {
        "fetch": (),
        "by_name": ("fetch",),
        "by_parameter": ("fetch", "by_name"),
        "by_when": ("fetch",),
        "by_foreach": ("by_when",),
        "by_expression": ("by_when", "fetch"),
        "twice": ("fetch",),
        "unknown": (),
    }


def test_a_name_that_two_tasks_have_means_none_of_them() -> None:
    assert edges(workflow(a={"name": "x"}, b={"name": "x"}, c={"dependencies": ["x"]}))["c"] == ()


def test_waves_are_the_order_of_running() -> None:
    diamond = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ()}
    assert waves(diamond) == [["a", "e"], ["b", "c"], ["d"]]
    assert dependents(diamond)["a"] == ("b", "c")
    assert sinks(diamond) == ["d", "e"]
    assert cycle(diamond) is None


def test_a_cycle_is_told_as_a_path() -> None:
    assert cycle({"a": ("c",), "b": ("a",), "c": ("b",), "d": ("c",)}) in (
        ["a", "b", "c", "a"],
        ["b", "c", "a", "b"],
        ["c", "a", "b", "c"],
    )
    assert cycle({"a": ("a",)}) == ["a", "a"]


edge_lists = st.integers(1, 12).flatmap(
    lambda count: st.lists(st.lists(st.integers(0, count - 1), max_size=3, unique=True), min_size=count, max_size=count)
)


@given(edge_lists)
def test_either_every_task_has_a_wave_or_there_is_a_cycle(lists: list[list[int]]) -> None:
    found = {str(index): tuple(map(str, needs)) for index, needs in enumerate(lists)}
    order = {task: number for number, wave in enumerate(waves(found)) for task in wave}
    path = cycle(found)
    if path is None:
        assert set(order) == set(found)
        assert all(order[need] < order[task] for task, needs in found.items() for need in needs)
    else:
        assert len(order) < len(found)
        assert path[0] == path[-1]
        assert len(set(path)) == len(path) - 1
        assert all(before in found[after] for before, after in pairwise(path))


def test_thirty_thousand_tasks_are_no_trouble() -> None:
    count = 30_000
    chain = {str(number): (str(number - 1),) if number else () for number in range(count)}
    started = time.process_time()
    assert len(waves(chain)) == count
    assert cycle(chain) is None
    chain["0"] = (str(count - 1),)
    path = cycle(chain)
    assert path is not None
    assert len(path) == count + 1
    assert time.process_time() - started < 5


def test_a_drawing_shows_tasks_and_edges() -> None:
    drawn = mermaid(
        workflow(a={"name": 'say "hi" <b>'}, b={"foreach": "${a.items}"}, c={"when": "a.ok", "dependencies": ["b"]})
    )
    assert drawn == (
        "flowchart TD\n"
        '  t0["say &quot;hi&quot; &lt;b&gt;<br/>a/b"]\n'
        '  t1[["b<br/>a/b"]]\n'
        '  t2["c<br/>a/b"]\n'
        "  t0 --> t1\n"
        "  t1 -.-> t2\n"
        "  t0 -.-> t2\n"
    )


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ('a"] --> b["', "a&quot;] --&gt; b[&quot;"),
        ("one\ntwo\r\x00\u2028\u202ethree", "one two    three"),
        ("<script>", "&lt;script&gt;"),
        ("#quot; &quot;", "#35;quot; &amp;quot;"),
        ("`**bold**`", "#96;**bold**#96;"),
        ('%%{init: {"theme": "dark"}}%%', "#37;#37;{init: {&quot;theme&quot;: &quot;dark&quot;}}#37;#37;"),
        ("$$x^2$$", "#36;#36;x^2#36;#36;"),
        ("Straße in 東京", "Straße in 東京"),
    ],
)
def test_a_name_in_a_drawing_is_a_name_and_nothing_else(name: str, shown: str) -> None:
    drawn = mermaid(workflow(**{"my-task": {"name": name}}, other={"dependencies": ["my-task"]}))
    assert drawn == f'flowchart TD\n  t0["{shown}<br/>a/b"]\n  t1["other<br/>a/b"]\n  t0 --> t1\n'
