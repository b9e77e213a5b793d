"""Other words for the same document."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gleitzeit.core.document import read
from gleitzeit.core.durations import seconds
from gleitzeit.core.spelling.spellings import HINTS, KEYS, KNOWN, MOVED, Place


def of_task(**more: Any) -> dict[str, Any]:
    tasks: list[dict[str, Any]] = read({"tasks": [{"id": "a", "method": "x/y", **more}]}).require().canonical()["tasks"]
    return tasks[0]


def codes(**more: Any) -> list[str]:
    return [item.code for item in read({"tasks": [{"id": "a", "method": "x/y", **more}]}).diagnostics]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ({"needs": "b"}, {"dependencies": ["b"]}),
        ({"dependsOn": ["b"]}, {"dependencies": ["b"]}),
        ({"depends-on": ["b"]}, {"dependencies": ["b"]}),
        ({"dependencies": "b"}, {"dependencies": ["b"]}),
        ({"with": {"x": 1}}, {"parameters": {"x": 1}}),
        ({"args": {"args": {"x": 1}}}, {"parameters": {"args": {"x": 1}}}),
        ({"parameters": None}, {}),
        ({"if": True}, {"when": True}),
        ({"for_each": [1]}, {"foreach": [1]}),
        ({"retry": 3}, {"retry": {"max_attempts": 3}}),
        ({"retries": 3}, {"retry": {"max_attempts": 4}}),
        ({"max_retries": 2, "retry_delay": "5s"}, {"retry": {"max_attempts": 3, "delay": 5.0}}),
        (
            {"retry": {"attempts": 3, "backoff": "exponential"}},
            {"retry": {"max_attempts": 3, "exponential_backoff": True}},
        ),
        ({"retry": {"max": 3, "backoff": 4}}, {"retry": {"max_attempts": 3, "delay": 4.0}}),
        ({"retry": {"retries": 3}}, {"retry": {"max_attempts": 4}}),
        ({"timeout": "1h30m"}, {"timeout": 5400.0}),
        ({"timeout_minutes": 2}, {"timeout": 120.0}),
        ({"timeoutMs": 500}, {"timeout": 0.5}),
        ({"continue_on_error": True}, {"on_error": "continue"}),
        ({"continue-on-error": False}, {}),
        ({"on_error": "ignore"}, {"on_error": "continue"}),
        ({"trigger_rule": "always"}, {"trigger_rule": "all_done"}),
        ({"cache": 60}, {"cache": {"ttl": 60.0}}),
        ({"cache": "1h"}, {"cache": {"ttl": 3600.0}}),
        ({"cache": {"duration": "1h", "forced": True}}, {"cache": {"ttl": 3600.0, "force": True}}),
        ({"cache": {"ttl": 60, "force": False}}, {"cache": {"ttl": 60.0}}),
        ({"calls": "mcp/*"}, {"calls": ["mcp/*"]}),
        ({"maxParallel": 3}, {"max_parallel": 3}),
    ],
    ids=range(28),
)
def test_other_words_say_the_same(written: dict[str, Any], read_as: dict[str, Any]) -> None:
    assert of_task(**written) == {"id": "a", "method": "x/y", **read_as}


@pytest.mark.parametrize(
    "written",
    [
        {"with": {}, "parameters": {}},
        {"needs": "b", "depends_on": "b"},
        {"tool": "x/z"},
        {"retry": 3, "retries": 2},
        {"retries": 2, "retry": 3},
        {"retry": {"attempts": 1, "max_attempts": 2}},
        {"continue_on_error": True, "on_error": "fail"},
    ],
    ids=range(7),
)
def test_two_spellings_of_one_key_are_an_error(written: dict[str, Any]) -> None:
    assert codes(**written) == ["duplicate_key"]


@pytest.mark.parametrize(("place", "word"), [(place, word) for place, words in HINTS.items() for word in words])
def test_words_of_other_systems_have_a_hint_and_no_meaning(place: Place, word: str) -> None:
    assert word not in KNOWN[place]
    assert word not in KEYS[place]
    assert word not in MOVED.get(place, {})
    around: dict[str, Any] = {"tasks": [{"id": "a", "method": "x/y"}]}
    inner = around if place == "document" else around["tasks"][0] if place == "task" else None
    if inner is None:
        holder = around if place == "settings" else around["tasks"][0]
        inner = holder[place] = {}
    inner[word] = "something"
    assert [(item.code, item.hint) for item in read(around).diagnostics] == [("unknown_key", HINTS[place][word])]


def test_every_other_word_stands_for_a_known_key() -> None:
    for place, words in KEYS.items():
        assert set(words.values()) <= set(KNOWN[place])
        assert not set(words) & set(KNOWN[place])
    for moved in MOVED.values():
        assert all(key in KNOWN[cast("Place", section)] for section, key in moved.values())


def test_only_known_references_are_respelled() -> None:
    source = {
        "inputs": ["x"],
        "steps": {
            "a": {"tool": "x/y"},
            "b": {
                "tool": "x/y",
                "args": {
                    "one": "${tasks.a.r} ${steps.a.r[0]} ${input.x} $${steps.a.r}",
                    "two": "${steps.nope.r} ${input.nope} ${size(steps.a.r)}",
                },
            },
        },
        "outputs": {"r": "${steps.b.r}"},
    }
    canonical = read(source).require().canonical()
    assert canonical["tasks"][1]["parameters"] == {
        "one": "${a.r} ${a.r[0]} ${inputs.x} $${steps.a.r}",
        "two": "${steps.nope.r} ${input.nope} ${size(steps.a.r)}",
    }
    assert canonical["outputs"] == {"r": "${b.r}"}


@pytest.mark.parametrize(
    ("inputs", "schemas"),
    [
        (["a", "b"], {"a": {}, "b": {}}),
        ([{"name": "a", "type": "INT"}, {"id": "b"}], {"a": {"type": "integer"}, "b": {}}),
        ({"a": "str", "b": "any", "c": None}, {"a": {"type": "string"}, "b": {}, "c": {}}),
        ({"a": {"type": "bool", "required": True}}, {"a": {"type": "boolean"}}),
        ({"a": {"type": "string", "required": False}}, {"a": {"type": ["string", "null"], "default": None}}),
        ({"a": {"type": "object", "required": ["x"]}}, {"a": {"type": "object", "required": ["x"]}}),
        ({"a": {"type": "choice", "options": [1, 2]}}, {"a": {"enum": [1, 2]}}),
    ],
    ids=range(7),
)
def test_inputs_in_other_forms(inputs: Any, schemas: dict[str, Any]) -> None:
    assert read({"inputs": inputs, "tasks": [{"id": "a", "method": "x/y"}]}).require().inputs == schemas


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(
            ("30s", 30),
            ("5m", 300),
            ("1h30m", 5400),
            ("1h 30m 5s", 5405),
            ("500ms", 0.5),
            ("2 days", 172_800),
            ("90", 90),
        ),
        *(
            ("1.5 hours", 5400),
            ("PT5M", 300),
            ("P1DT2H", 93_600),
            ("PT0.5S", 0.5),
            ("10 Seconds", 10),
            ("1 week", 604_800),
        ),
        *(("", None), ("soon", None), ("5 parsecs", None), ("P", None), ("-5s", None), ("nan", None), ("1e999", None)),
    ],
)
def test_durations(text: str, value: float | None) -> None:
    assert seconds(text) == value
