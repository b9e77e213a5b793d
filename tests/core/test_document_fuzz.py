"""Whatever is submitted, reading it ends soon, and in a Reading."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gleitzeit.core.check import check, methods_of
from gleitzeit.core.document import MAX_BYTES, Reading, read
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.reading.yaml_writer import write_yaml

SOON = 2.0
UNHURRIED = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
PATIENT = settings(deadline=None, max_examples=150, suppress_health_check=UNHURRIED)

words = st.sampled_from(
    [
        *(
            "tasks",
            "steps",
            "id",
            "method",
            "parameters",
            "with",
            "needs",
            "when",
            "foreach",
            "retry",
            "inputs",
            "outputs",
        ),
        *(
            "a",
            "b-c",
            "llm/chat",
            "${a.b}",
            "${{ a }}",
            "{{ a }}",
            "${",
            "$${x}",
            "${a.map(i, i)}",
            "~",
            "on",
            "yes",
            "1",
            "0x1",
            "- ",
        ),
        *(
            ": ",
            "\n",
            "  ",
            "\t",
            "[",
            "]",
            "{",
            "}",
            ",",
            "&x",
            "*x",
            "<<",
            "|",
            ">",
            "'",
            '"',
            "#",
            "---",
            "!!str",
            "!x",
            "?",
            "```",
            "\0",
            "\ufeff",
        ),
    ]
)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), words)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(words, st.text(max_size=6)), inner, max_size=5)
    ),
    max_leaves=20,
)
TASK_KEYS = ("parameters", "with", "when", "foreach", "retry", "timeout", "dependencies")
documents: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "name": values,
        "inputs": values,
        "outputs": values,
        "settings": values,
        "tasks": st.one_of(
            values,
            st.lists(
                st.fixed_dictionaries(
                    {
                        "id": st.sampled_from(["a", "b-c", "item", ""]),
                        "method": st.sampled_from(["llm/chat", "workflow/run", ""]),
                    },
                    optional=dict.fromkeys(TASK_KEYS, values),
                ),
                max_size=3,
            ),
        ),
    },
)


def _soon(source: Any) -> Reading:
    started = time.process_time()
    reading = read(source)
    if reading.workflow is not None:
        check(reading, dict.fromkeys(methods_of(reading.workflow)))
    assert time.process_time() - started < SOON
    assert reading.workflow is not None or reading.diagnostics
    assert all(diagnostic.message and diagnostic.code for diagnostic in reading.diagnostics)
    return reading


@PATIENT
@given(st.binary(max_size=300))
def test_any_bytes_are_read(source: bytes) -> None:
    _soon(source)


@PATIENT
@given(st.text(max_size=300))
def test_any_text_is_read(source: str) -> None:
    _soon(source)


@PATIENT
@given(st.lists(words, max_size=60).map("".join))
def test_anything_like_yaml_is_read(source: str) -> None:
    _soon(source)


@PATIENT
@given(documents)
def test_anything_like_a_document_is_read(source: dict[str, Any]) -> None:
    _soon(source)
    _soon(json.dumps(source))
    _soon(yaml.safe_dump(source, allow_unicode=True))


_ids = st.from_regex(r"\A[a-z][a-z0-9_-]{0,8}\Z").filter(
    lambda word: word not in ("in", "as", "if", "for", "let", "var")
)
_json = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**53), 2**53),
        st.text(st.characters(exclude_categories=["Cs"]), max_size=10),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_tasks = st.builds(
    Task,
    id=_ids,
    method=st.just("llm/chat"),
    name=st.one_of(st.none(), st.text("xyz ", max_size=5)),
    parameters=st.dictionaries(st.text("abc", min_size=1, max_size=3), _json, max_size=3),
    dependencies=st.lists(_ids, max_size=2).map(tuple),
    when=st.one_of(st.none(), st.booleans(), st.just("a.b > 1")),
    foreach=st.one_of(st.none(), st.just("${a.items}"), st.lists(_json, max_size=3)),
    timeout=st.one_of(st.none(), st.floats(0.001, 1000)),
    on_error=st.sampled_from(["fail", "continue"]),
    retry_on_crash=st.one_of(st.none(), st.booleans()),
    calls=st.lists(st.just("mcp/tool.*"), max_size=2).map(tuple),
)
_workflows = st.builds(
    Workflow,
    name=st.text("abc", min_size=1, max_size=5),
    inputs=st.dictionaries(_ids, st.just({"type": "string", "default": "x"}), max_size=2),
    tasks=st.lists(_tasks, min_size=1, max_size=3).map(tuple),
    outputs=st.one_of(st.none(), st.dictionaries(_ids, _json, max_size=2)),
)


@PATIENT
@given(_workflows)
def test_the_saved_form_is_read_as_the_same_workflow(workflow: Workflow) -> None:
    for source in (
        workflow,
        workflow.canonical(),
        json.dumps(workflow.canonical()),
        write_yaml(workflow.canonical()),
    ):
        assert read(source).require() == workflow


@pytest.mark.parametrize(
    "text",
    ["0E0", "1e3", "0o17", "0x1f", ".5", "5.", "-1", "yes", "on", "null", "~", "1_0", "0123", ".inf", "=", "<<", ""],
)
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    source = {"tasks": [{"id": "a", "method": "llm/chat", "parameters": {"x": text, "n": 1e-7}}]}
    assert read(write_yaml(source)).require() == read(source).require()


def test_laughing_aliases_are_stopped() -> None:
    lines = ['a: &a ["x","x","x","x","x","x","x","x","x"]']
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]")
    assert _soon("\n".join(lines)).diagnostics[0].code == "limit"


def test_merged_aliases_are_counted_too() -> None:
    lines = ["a: &a {k0: 1, k1: 2, k2: 3, k3: 4}", "b:"]
    lines.extend("  - {<<: *a}" for _ in range(3_000))
    assert _soon("\n".join(lines)).diagnostics[0].code == "limit"


def test_an_alias_of_itself_is_told() -> None:
    assert "contains itself" in _soon("a: &a [*a]").diagnostics[0].message


@pytest.mark.parametrize(
    "source",
    ["[" * 200_000, '{"a":' * 200_000, "- " * 50_000, "a:\n" + "".join(" " * n + "b:\n" for n in range(1, 900))],
)
def test_depth_is_bounded(source: str) -> None:
    assert _soon(source).diagnostics[0].code == "limit"


def test_depth_of_python_data_is_bounded() -> None:
    value: Any = []
    for _ in range(5_000):
        value = [value]
    codes = {
        item.code
        for item in _soon({"tasks": [{"id": "a", "method": "llm/chat", "parameters": {"x": value}}]}).diagnostics
    }
    assert codes == {"limit"}


def test_python_data_that_contains_itself_is_told() -> None:
    value: dict[str, Any] = {}
    value["again"] = value
    assert read({"tasks": [{"id": "a", "method": "llm/chat", "parameters": value}]}).diagnostics[0].code == "limit"


def test_more_than_sixteen_megabytes_are_refused() -> None:
    for source in ("x" * (MAX_BYTES + 1), b"x" * (MAX_BYTES + 1), "é" * (MAX_BYTES // 2 + 1)):
        assert _soon(source).diagnostics[0].code == "too_large"


@pytest.mark.timeout(120)
def test_sixteen_megabytes_of_text_are_read() -> None:
    text = "word " * (15 * 1024 * 1024 // 5)
    for source in (
        f"tasks:\n- id: a\n  method: llm/chat\n  parameters:\n    prompt: '{text}'\n",
        json.dumps({"tasks": [{"id": "a", "method": "llm/chat", "parameters": {"prompt": text}}]}),
    ):
        assert read(source).require().tasks[0].parameters["prompt"].startswith("word word")


@pytest.mark.timeout(120)
def test_a_flood_of_values_is_refused() -> None:
    assert read("- a\n" * 2_000_000).diagnostics[0].code == "limit"
