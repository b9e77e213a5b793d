"""Reading documents: what is accepted, and where a problem is told."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.document import read
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import Task, Workflow

PLAIN = "tasks:\n- id: a\n  method: llm/chat\n"


def told(source: Any) -> list[tuple[str, int | None, int | None]]:
    return [(item.code, item.line, item.column) for item in read(source).diagnostics]


@pytest.mark.parametrize(
    "source",
    [
        PLAIN,
        PLAIN.encode(),
        b"\xef\xbb\xbf" + PLAIN.encode(),
        "\ufeff" + PLAIN,
        {"tasks": [{"id": "a", "method": "llm/chat"}]},
        '{"tasks":\t[{"id": "a", "method": "llm/chat"}]}',
        PLAIN.replace("\n", "\r\n"),
        "---\n" + PLAIN + "...\n",
        f"```yaml\n{PLAIN}```",
        f"~~~\n{PLAIN}~~~\n",
    ],
    ids=range(10),
)
def test_text_in_any_wrapping_is_read(source: Any) -> None:
    assert read(source).require() == Workflow(tasks=(Task(id="a", method="llm/chat"),))


def test_a_workflow_is_read_as_itself() -> None:
    workflow = Workflow(name="x", tasks=(Task(id="a", method="llm/chat", parameters={"t": (1, 2)}),))
    assert read(workflow).require().tasks[0].parameters == {"t": [1, 2]}


def test_the_name_of_the_file_names_a_document_without_one() -> None:
    assert read(PLAIN, name="report").require().name == "report"
    assert read("name: own\n" + PLAIN, name="report").require().name == "own"
    assert read(PLAIN).require().name == "workflow"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("", ("empty", 1, 1)),
        ("# only a comment\n", ("empty", 1, 1)),
        ("null", ("empty", 1, 1)),
        ("just words", ("wrong_type", 1, 1)),
        ("[1, 2]", ("wrong_type", 1, 1)),
        ("tasks: []", ("missing_key", 1, 8)),
        (b"\x89PNG\x00\x01", ("binary", 1, 1)),
        (b"tasks:\n- \xff", ("binary", 2, 3)),
        ("tasks:\n- a\0", ("binary", 2, 4)),
        ("a: \ud800", ("binary", 1, 4)),
        (PLAIN + "---\n" + PLAIN, ("several_documents", 4, 1)),
        ("tasks:\n\t- a", ("yaml_syntax", 2, 1)),
        ("name: 'x\ntasks: []\n", ("yaml_syntax", 3, 1)),
        (PLAIN + "name: a: b\n", ("yaml_syntax", 4, 8)),
        (PLAIN + "name: @x\n", ("yaml_syntax", 4, 7)),
        (PLAIN + "name: *x\n", ("yaml_syntax", 4, 7)),
        (PLAIN + "name: !!python/object:os.system x\n", ("yaml_tag", 4, 7)),
        (PLAIN + "name: !custom x\n", ("yaml_tag", 4, 7)),
        (PLAIN + "name: a\nname: b\n", ("duplicate_key", 5, 1)),
        (PLAIN + "  parameters: {1: x}\n", ("key_not_text", 4, 16)),
        (PLAIN + "  parameters: {? [a] : x}\n", ("key_not_text", 4, 18)),
        (PLAIN + "  parameters: {x: .nan}\n", ("not_json", 4, 19)),
        (PLAIN + "  parameters: {x: " + "9" * 5_000 + "}\n", ("not_json", 4, 19)),
        ('{"tasks": [{"id": "a" "method": "b"}]}', ("json_syntax", 1, 23)),
        ('{"tasks": [{"id": "a", "method": "b"}], "name": "x", "name": "y"}', ("duplicate_key", 1, 54)),
        ('{"tasks": [{"id": "a", "method": "b", "parameters": {"x": NaN}}]}', ("not_json", 1, 59)),
        (3, ("wrong_type", 1, 1)),
    ],
)
def test_what_cannot_be_read_says_where(source: Any, expected: tuple[str, int, int]) -> None:
    assert told(source)[0] == expected


def test_all_problems_are_told_with_their_places() -> None:
    text = (
        "naem: x\ntasks:\n  - id: a b\n    method: llm/chat\n    timeout: soon\n"
        "    retry: {max_attempts: 0, dely: 3}\n    on_error: contnue\n    foreach: 7\n"
        "  - method: 3\n    when: [1]\n  - just text\n"
    )
    assert [(item.line, item.path, item.code) for item in read(text).diagnostics] == [
        (1, "naem", "unknown_key"),
        (3, "tasks[0].id", "bad_id"),
        (5, "tasks[0].timeout", "wrong_value"),
        (6, "tasks[0].retry.max_attempts", "wrong_value"),
        (6, "tasks[0].retry.dely", "unknown_key"),
        (7, "tasks[0].on_error", "wrong_value"),
        (8, "tasks[0].foreach", "wrong_type"),
        (9, "tasks[1].id", "missing_key"),
        (9, "tasks[1].method", "wrong_type"),
        (10, "tasks[1].when", "wrong_type"),
        (11, "tasks[2]", "wrong_type"),
    ]


def test_positions_are_those_of_the_text_that_was_written() -> None:
    text = (
        "# a comment\nsteps:\n  first:\n    tool: llm/chat\n    with:\n      prompt: hi\n"
        '      temprature: "${nope.x}"\n'
    )
    reading = read(text)
    assert reading.positions.at(("tasks", 0, "parameters", "temprature")) == (7, 19)
    assert reading.positions.at(("tasks", 0, "parameters", "temprature"), key=True) == (7, 7)
    assert reading.positions.at(("tasks", 0, "parameters", "nothing")) == (6, 7)


def test_positions_in_json_and_inside_a_fence_count_from_the_first_line() -> None:
    assert told('{\n\t"tasks": [\n\t\t{"id": "a", "metod": "b"}\n\t]\n}')[0][1:] == (3, 3)
    assert told("Sure!\n\n```yaml\ntasks:\n- {id: a, methd: b}\n```\n")[-1][1:] == (5, 11)


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = (
        PLAIN
        + "  parameters: {a: yes, b: on, c: 2024-01-31, d: 0123, e: 1_000, f: 12:30, "
        + "g: 0x1f, h: 1e3, i: ~, j: True, k: !!str 5, on: x}\n"
    )
    assert read(text).require().tasks[0].parameters == {
        "a": "yes",
        "b": "on",
        "c": "2024-01-31",
        "d": "0123",
        "e": "1_000",
        "f": "12:30",
        "g": 31,
        "h": 1000.0,
        "i": None,
        "j": True,
        "k": "5",
        "on": "x",
    }


def test_python_data_that_is_not_json_is_told() -> None:
    source = {"tasks": [{"id": "a", "method": "b", "parameters": {"x": {1, 2}, "y": float("inf"), 3: 4}}]}
    assert [(item.code, item.path) for item in read(source).diagnostics] == [
        ("not_json", "tasks[0].parameters.x"),
        ("not_json", "tasks[0].parameters.y"),
        ("key_not_text", "tasks[0].parameters"),
    ]


def test_require_raises_with_all_diagnostics() -> None:
    with pytest.raises(DocumentError) as caught:
        read("tasks: 3\nnaem: x").require()
    assert [item.code for item in caught.value.diagnostics] == ["wrong_type", "unknown_key"]


def test_reading_does_not_change_what_was_given() -> None:
    source = {"steps": {"a": {"tool": "x/y", "retry": {"retries": 2}}}}
    read(source)
    assert source == {"steps": {"a": {"tool": "x/y", "retry": {"retries": 2}}}}
