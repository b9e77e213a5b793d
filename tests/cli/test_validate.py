"""`gleitzeit validate` says how a workflow would run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli import shelf

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")

GOOD = """
inputs: {n: {type: integer}}
tasks:
  - {id: left, method: play/double, parameters: {value: "${inputs.n}"}}
  - {id: right, method: play/echo, foreach: [1, 2], parameters: {x: "${item}"}}
  - {id: join, method: play/echo, when: "left.value > 2", parameters: {x: "${left.value}", y: "${right}"}}
"""


@pytest.fixture
def good(workplace: Path) -> Path:
    path = workplace / "good.yaml"
    path.write_text(GOOD)
    return path


def test_the_plan_is_shown_as_waves(gleitzeit: Command, good: Path) -> None:
    outcome = gleitzeit("validate", good)
    assert outcome.code == 0
    assert outcome.stdout.splitlines() == [
        f"{good}: valid, 3 tasks in 2 waves",
        "  1  left   play/double",
        "  1  right  play/echo  (foreach)",
        "  2  join   play/echo  (when)",
    ]


def test_several_files_are_all_judged_and_the_worst_counts(gleitzeit: Command, good: Path, workplace: Path) -> None:
    (workplace / "bad.yaml").write_text("tasks:\n- {id: a, method: play/nothing}\n- {id: a, method: play/echo}\n")
    outcome = gleitzeit("validate", "bad.yaml", "none.yaml", "good.yaml")
    assert outcome.code == 4
    assert "bad.yaml: invalid, 2 errors" in outcome.stdout
    assert "good.yaml: valid" in outcome.stdout
    assert "there is no file none.yaml" in outcome.stderr


def test_the_verdict_is_json(gleitzeit: Command, good: Path) -> None:
    data = gleitzeit("validate", good, "-", "--json", stdin="tasks: {a: {method: play/echo, oops: 1}}").json
    assert data["valid"] is False
    first, second = data["files"]
    assert [[task["task_id"] for task in wave] for wave in first["plan"]] == [["left", "right"], ["join"]]
    assert first["plan"][0][0]["provider"] == "play"
    assert second["valid"] is False
    assert second["diagnostics"][0]["line"] == 1


def test_a_server_that_is_not_up_is_told_with_the_tasks_that_went_unchecked(
    gleitzeit: Command, workplace: Path, play: Path
) -> None:
    broken = {"name": "bad", "command": [sys.executable, "-c", "import sys; sys.exit('no licence')"], "max_restarts": 0}
    idle = {"name": "other", "command": "no-such-server"}
    servers = [{**broken, "tool_prefix": "b."}, idle, shelf.GOOD]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    (workplace / "far.yaml").write_text(
        "tasks:\n"
        "  - {id: one, method: mcp/tool.b.ask}\n"
        "  - {id: two, method: mcp/tool.bad.ask}\n"
        "  - {id: three, method: mcp/tool.good.search, parameters: {topic: sea}}\n"
    )
    outcome = gleitzeit("validate", "far.yaml", "--json")
    assert outcome.code == 0
    (warning,) = outcome.json["files"][0]["diagnostics"]
    assert warning["severity"] == "warning"
    assert warning["message"] == (
        'server "bad" is failed (no licence): methods and parameters of one, two were not checked'
    )
    assert "warning" in outcome.stderr


def test_inputs_are_checked_where_they_are_given(gleitzeit: Command, good: Path) -> None:
    assert gleitzeit("validate", good).code == 0
    assert gleitzeit("validate", good, "-i", "n=3").code == 0
    assert gleitzeit("validate", good, "-i", "nn=3").code == 4


def test_the_graph_is_a_mermaid_diagram(gleitzeit: Command, good: Path) -> None:
    outcome = gleitzeit("validate", good, "--mermaid")
    assert outcome.code == 0
    assert outcome.stdout.startswith(("graph ", "flowchart "))
    assert "left" in outcome.stdout


def test_the_schema_of_a_document_is_a_json_schema(gleitzeit: Command) -> None:
    outcome = gleitzeit("schema")
    assert outcome.code == 0
    assert outcome.json["$schema"].endswith("2020-12/schema")
    assert "tasks" in outcome.json["properties"]
