"""Whatever is wrong with a document is told with its place and what to do, and ends with the right code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")

BAD = {
    "an unknown key": ("tasks:\n- id: a\n  method: play/echo\n  paramters: {}\n", [":4:3:", '"parameters"']),
    "an unknown method": ("tasks:\n- id: a\n  method: play/ehco\n", [":3:", "play/ehco", "play/echo"]),
    "a cycle": (
        "tasks:\n- {id: a, method: play/echo, dependencies: [b]}\n- {id: b, method: play/echo, dependencies: [a]}\n",
        ["a", "b", ":2:"],
    ),
    "an unknown dependency": ("tasks:\n- {id: fetch, method: play/echo, dependencies: [fech]}\n", ["fech", ":2:"]),
    "a duplicate id": ("tasks:\n- {id: a, method: play/echo}\n- {id: a, method: play/echo}\n", ["a", ":3:"]),
    "a reference to no task": (
        'tasks:\n- id: a\n  method: play/echo\n  parameters: {x: "${nobody.x}"}\n',
        ["nobody", ":4:"],
    ),
    "a reference to no input": (
        'tasks:\n- id: a\n  method: play/echo\n  parameters: {x: "${inputs.nothing}"}\n',
        ["nothing", ":4:"],
    ),
    "a parameter of the wrong type": (
        "tasks:\n- id: a\n  method: play/double\n  parameters: {value: many}\n",
        ["value", "many", ":4:"],
    ),
    "a missing parameter": ("tasks:\n- id: a\n  method: play/double\n", ["value"]),
    "broken YAML": ("tasks:\n- id: a\n  method: [play/echo\n", [":"]),
    "no mapping": ("- just\n- a list\n", ["tasks"]),
    "nothing": ("", ["tasks"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_its_place(name: str, gleitzeit: Command, workplace: Path) -> None:
    text, words = BAD[name]
    (workplace / "bad.yaml").write_text(text)
    outcome = gleitzeit("run", "bad.yaml")
    assert outcome.code == 4
    assert "Traceback" not in outcome.stderr
    for word in ("bad.yaml:", *words):
        assert word in outcome.stderr


def test_bad_documents_are_all_judged_at_once(gleitzeit: Command, workplace: Path) -> None:
    for number, (text, _) in enumerate(BAD.values()):
        (workplace / f"{number}.yaml").write_text(text)
    outcome = gleitzeit("validate", *(f"{number}.yaml" for number in range(len(BAD))), "--json")
    assert outcome.code == 4
    for file, (_, words) in zip(outcome.json["files"], BAD.values(), strict=True):
        assert not file["valid"]
        assert all(word in outcome.stderr for word in words)


def test_the_offending_line_is_shown_with_a_caret(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "bad.yaml").write_text("tasks:\n- id: a\n  method: play/echo\n  paramters: {}\n")
    lines = gleitzeit("validate", "bad.yaml").stderr.splitlines()
    assert "    4 |   paramters: {}" in lines
    assert "      |   ^" in lines


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\xff\xfe\xfa", b"PK\x03\x04" * 100])
def test_a_binary_file_is_no_workflow(content: bytes, gleitzeit: Command, workplace: Path) -> None:
    (workplace / "bad.yaml").write_bytes(content)
    outcome = gleitzeit("run", "bad.yaml")
    assert outcome.code == 4
    assert "Traceback" not in outcome.stderr


def test_a_document_over_the_limit_is_refused(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "big.yaml").write_bytes(b"tasks:\n" + b"# filler\n" * 2_000_000)
    outcome = gleitzeit("run", "big.yaml")
    assert outcome.code == 4
    assert "16 MiB" in outcome.stderr
    assert gleitzeit("validate", "big.yaml", "--json").json["files"][0]["error"]["code"] == "limit_exceeded"


def test_a_missing_file_names_the_nearest(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "report.yaml").write_text("tasks: []")
    outcome = gleitzeit("run", "reprot.yaml", "--json")
    assert outcome.code == 3
    assert outcome.json["error"]["code"] == "workflow_not_found"
    assert "report.yaml" in outcome.stderr
    assert gleitzeit("run", "no/such/folder.yaml").code == 3
    assert gleitzeit("run", workplace).code == 3


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["-i", "n=many"], 4, ["n", "many", "whole number"]),
        (["-i", "m=1"], 4, ["m", "there is no such input"]),
        ([], 4, ["n", "missing"]),
        (["-i", "n"], 2, ["KEY=VALUE"]),
        (["--inputs", "none.yaml"], 3, ["none.yaml"]),
        (["--inputs", "broken.yaml"], 4, ["broken.yaml", "line 2"]),
        (["--inputs", "list.yaml"], 4, ["mapping"]),
        (["--timeout", "soon"], 2, ["--timeout"]),
        (["--no-such-option"], 2, ["--no-such-option"]),
    ],
)
def test_bad_inputs_are_refused(
    arguments: list[str], code: int, words: list[str], gleitzeit: Command, workplace: Path
) -> None:
    (workplace / "broken.yaml").write_text("{a: [\n")
    (workplace / "list.yaml").write_text("[1]")
    (workplace / "wf.yaml").write_text("inputs: {n: integer}\ntasks: [{id: a, method: play/echo}]\n")
    outcome = gleitzeit("run", "wf.yaml", *arguments)
    assert outcome.code == code
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    for word in words:
        assert word in outcome.stderr


def test_an_error_is_json_too(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "bad.yaml").write_text("tasks:\n- id: a\n  method: play/echo\n  paramters: {}\n")
    error = gleitzeit("run", "bad.yaml", "--json").json["error"]
    assert error["code"] == "document_invalid"
    assert error["details"]["diagnostics"][0]["line"] == 4


def test_a_traceback_is_shown_only_on_demand(gleitzeit: Command) -> None:
    outcome = gleitzeit("run", "none.yaml", env={"GLEITZEIT_DEBUG": "1"})
    assert outcome.code == 3
    assert "Traceback" in outcome.stderr
