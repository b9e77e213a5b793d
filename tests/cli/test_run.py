"""`gleitzeit run` carries out a workflow and says what became of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")

DOUBLED = """
inputs:
  start: {type: integer, default: 4}
  label: {type: string, default: "four"}
tasks:
  - {id: once, method: play/double, parameters: {value: "${inputs.start}"}}
  - {id: twice, method: play/double, parameters: {value: "${once.value}"}}
"""


@pytest.fixture
def doubled(workplace: Path) -> Path:
    path = workplace / "doubled.yaml"
    path.write_text(DOUBLED + 'outputs: {number: "${twice.value}", words: "${inputs.label}: ${twice.value}"}\n')
    return path


def written(workplace: Path, text: str) -> Path:
    path = workplace / "workflow.yaml"
    path.write_text(text)
    return path


def test_outputs_are_the_only_thing_on_standard_output(gleitzeit: Command, doubled: Path) -> None:
    outcome = gleitzeit("run", doubled)
    assert outcome.code == 0
    assert outcome.stdout == "number: 16\nwords: four: 16\n"
    assert "once: completed" in outcome.stderr


def test_a_single_text_is_printed_as_it_is(gleitzeit: Command, workplace: Path) -> None:
    path = written(
        workplace, 'tasks: [{id: a, method: play/echo, parameters: {x: "two\\nlines"}}]\noutputs: {x: "${a.x}"}'
    )
    assert gleitzeit("run", path).stdout == "two\nlines\n"


def test_a_single_structure_is_printed_as_json(gleitzeit: Command, workplace: Path) -> None:
    path = written(workplace, "tasks: [{id: a, method: play/echo, parameters: {x: [1, ä]}}]")
    outcome = gleitzeit("run", path)
    assert outcome.json == {"x": [1, "ä"]}
    assert "ä" in outcome.stdout


def test_the_whole_run_is_there_as_json(gleitzeit: Command, doubled: Path) -> None:
    run = gleitzeit("run", doubled, "--json").json
    assert run["status"] == "completed"
    assert run["name"] == "doubled"
    assert run["outputs"]["number"] == 16
    assert [task["status"] for task in run["tasks"].values()] == ["completed", "completed"]


def test_inputs_are_read_as_the_declared_types(gleitzeit: Command, doubled: Path) -> None:
    outcome = gleitzeit("run", doubled, "-i", "start=5", "-i", "label=5")
    assert outcome.stdout == "number: 20\nwords: 5: 20\n"


@pytest.mark.parametrize(("name", "text"), [("in.json", '{"start": 6}'), ("in.yaml", "start: 6\n")])
def test_inputs_come_from_a_file_and_single_ones_go_before(
    name: str, text: str, gleitzeit: Command, doubled: Path, workplace: Path
) -> None:
    (workplace / name).write_text(text)
    assert gleitzeit("run", doubled, "--inputs", name).stdout.startswith("number: 24\n")
    assert gleitzeit("run", doubled, "--inputs", name, "-i", "start=1").stdout.startswith("number: 4\n")


def test_inputs_in_a_file_are_read_as_documents_are(gleitzeit: Command, workplace: Path) -> None:
    path = written(
        workplace, "inputs: {a: string, b: string}\ntasks: [{id: t, method: play/echo}]\noutputs: {x: '${inputs}'}"
    )
    (workplace / "in.yaml").write_text("a: no\nb: 2024-01-01\n")
    assert gleitzeit("run", path, "--inputs", "in.yaml", "--json").json["outputs"] == {
        "x": {"a": "no", "b": "2024-01-01"}
    }


def test_a_server_that_cannot_be_reached_has_an_exit_code_of_its_own(
    gleitzeit: Command, workplace: Path, play: Path
) -> None:
    (play / "config.yaml").write_text("mcp: {servers: [{name: bad, command: [no-such-command]}]}\n")
    path = written(workplace, "tasks: [{id: a, method: mcp/tool.bad.x}]")
    outcome = gleitzeit("run", path)
    assert outcome.code == 6
    assert outcome.stderr.count("error[provider_unavailable]") == 1
    listed = gleitzeit("methods")
    assert listed.code == 0
    assert "warning: server bad is failed" in listed.stderr


def test_a_workflow_comes_from_standard_input(gleitzeit: Command) -> None:
    outcome = gleitzeit("run", "-", "--json", stdin=DOUBLED)
    assert outcome.json["outputs"] == {"twice": {"value": 16}}


def test_a_failed_run_names_each_failed_task_why_and_what_to_do(gleitzeit: Command, workplace: Path) -> None:
    path = written(
        workplace,
        "tasks:\n- {id: good, method: play/echo}\n- {id: bad, method: play/fail}\n- {id: worse, method: play/crash}\n"
        "- {id: after, method: play/echo, dependencies: [bad]}",
    )
    outcome = gleitzeit("run", path)
    assert outcome.code == 5
    assert outcome.stdout == ""
    assert "error[tool_failed] bad: the tool said no\n  hint: ask it nicely" in outcome.stderr
    assert "error[provider_crashed] worse:" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert gleitzeit("run", path, "--json").json["tasks"]["after"]["status"] == "skipped"


def test_a_run_that_takes_too_long_is_cancelled(gleitzeit: Command, workplace: Path) -> None:
    path = written(workplace, "tasks: [{id: a, method: play/echo}, {id: slow, method: play/sleep, dependencies: [a]}]")
    outcome = gleitzeit("run", path, "--timeout", "0.5", "--json")
    assert outcome.code == 7
    assert outcome.json["status"] == "cancelled"
    assert outcome.json["tasks"]["a"]["status"] == "completed"
    assert "after 0.5 seconds" in outcome.stderr


def test_an_ambiguous_failure_parks_the_run_and_is_told(gleitzeit: Command, workplace: Path) -> None:
    path = written(workplace, "tasks: [{id: slow, method: play/sleep, timeout: 0.2}]")
    outcome = gleitzeit("run", path)
    assert outcome.code == 5
    assert "error[timeout] slow:" in outcome.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_cancels_the_run_and_keeps_what_was_done(
    number: signal.Signals, workplace: Path, environment: dict[str, str]
) -> None:
    path = written(workplace, "tasks: [{id: a, method: play/echo}, {id: slow, method: play/sleep, dependencies: [a]}]")
    command = [sys.executable, "-m", "gleitzeit", "run", str(path), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=workplace
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if "slow: started" in line:
                break
        process.send_signal(number)
        rest = process.stderr.read()
        printed = process.stdout.read()
    assert process.returncode == 130
    run = json.loads(printed)  # without what the provider printed
    assert run["status"] == "cancelled"
    assert run["tasks"]["a"]["status"] == "completed"
    assert "Traceback" not in rest


def test_on_a_terminal_the_progress_is_live_and_the_result_stays_clean(
    workplace: Path, doubled: Path, environment: dict[str, str]
) -> None:
    pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
    import os

    control, terminal = pty.openpty()
    command = [sys.executable, "-m", "gleitzeit", "run", str(doubled)]
    terminal_environment = {**environment, "TERM": "xterm"}
    completed = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=terminal, env=terminal_environment, cwd=workplace, check=True
    )
    os.close(terminal)
    drawn = os.read(control, 65536).decode()
    os.close(control)
    assert completed.stdout == b"number: 16\nwords: four: 16\n"
    assert "\x1b[" in drawn
    assert "✓" in drawn
