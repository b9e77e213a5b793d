"""Runs in the database: listed, shown, cancelled, watched, and resumed, also after the process of a run is gone."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")

DRAWN = """
name: drawn
tasks:
  - {id: kept, method: draw/word, parameters: {seed: 1}, cache: {ttl: 60}}
  - {id: lost, method: draw/word, cache: {ttl: 60}}
"""

FLAKY = """
from pathlib import Path

import anyio

from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

HERE = Path(__file__).parent
FLAKY = Protocol("flaky/v1", methods=[
    MethodSpec("flaky/note", "Note that it was called.", idempotent=True),
    MethodSpec("flaky/stuck", "Hang as long as there is no file `free`.", idempotent=True),
    MethodSpec("flaky/send", "The same, and nobody knows whether it may be done twice."),
])


class Flaky(ProtocolProvider):
    async def handle_request(self, method, parameters):
        with (HERE / "calls.txt").open("a") as calls:
            calls.write(f"{method.partition('/')[2]} ")
        if method != "flaky/note" and not (HERE / "free").exists():
            await anyio.sleep_forever()
        return dict(parameters)


registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(FLAKY)
registry.register_provider(FLAKY.id, Flaky("flaky", FLAKY.id))
"""

STUCK = """
name: stuck
tasks:
  - {id: first, method: flaky/note, parameters: {text: done}}
  - {id: last, method: flaky/METHOD, parameters: {text: "${first.text}"}}
"""


@pytest.fixture
def flaky(play: Path) -> Path:
    """A provider that hangs until it is freed, and counts its calls; returns the folder of both files."""
    (play / "flaky_provider.py").write_text(FLAKY)
    (play / "config.yaml").write_text("providers: {path: [.], modules: [play_provider, flaky_provider]}\n")
    return play


def written(workplace: Path, text: str) -> Path:
    path = workplace / "workflow.yaml"
    path.write_text(text)
    return path


@contextmanager
def running(
    path: Path, until: str, environment: dict[str, str], workplace: Path
) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`gleitzeit run` once it has said `until`, and the id of its run."""
    command = [sys.executable, "-m", "gleitzeit", "run", str(path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=workplace
    ) as process:
        assert process.stderr is not None
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if until in line:
                break
        (run_id,) = [line.split()[1] for line in said if line.startswith("run ")]
        try:
            yield process, run_id
        finally:
            process.kill()


def test_runs_are_listed_and_shown(gleitzeit: Command, workplace: Path) -> None:
    assert gleitzeit("runs", "list").stderr == "no run fits\n"
    good = written(workplace, "name: good\ntasks: [{id: a, method: play/echo, parameters: {x: 1}}]")
    first = gleitzeit("run", good, "--json").json["run_id"]
    bad = written(workplace, "name: bad\ntasks: [{id: a, method: play/fail}, {id: b, method: play/echo}]")
    second = gleitzeit("run", bad, "--json").json["run_id"]
    listed = gleitzeit("runs", "list", "--json").json
    assert [(run["run_id"], run["name"], run["status"]) for run in listed["runs"]] == [
        (second, "bad", "failed"),
        (first, "good", "completed"),
    ]
    assert [run["run_id"] for run in gleitzeit("runs", "list", "--status", "failed", "--json").json["runs"]] == [second]
    page = gleitzeit("runs", "list", "--limit", "1")
    assert page.stdout.split()[:2] == [second, "failed"]
    cursor = page.stderr.split()[-1]
    assert gleitzeit("runs", "list", "--cursor", cursor).stdout.startswith(first)
    shown = gleitzeit("runs", "show", second).stdout
    assert "failed     a  (" in shown
    assert "the tool said no" in shown
    assert f"next: gleitzeit runs resume {second}" in shown
    shown = gleitzeit("runs", "show", first, "--json").json
    assert shown["outputs"] == {"a": {"x": 1}}
    assert shown["created_at"] == listed["runs"][1]["created_at"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["show", "nowhere"], 3, 'there is no run "nowhere"'),
        (["cancel", "nowhere"], 3, 'there is no run "nowhere"'),
        (["events", "nowhere"], 3, 'there is no run "nowhere"'),
        (["resume", "nowhere"], 3, 'there is no run "nowhere"'),
        (["resume", "nowhere", "--unknown", "a=done"], 2, "TASK=DECISION"),
        (["resume", "nowhere", "--changes", "no.yaml"], 3, "no.yaml"),
        (["list", "--status", "odd"], 2, "odd"),
        (["list", "--cursor", "odd"], 4, "cursor"),
    ],
)
def test_what_is_not_there_is_said(gleitzeit: Command, arguments: list[str], code: int, words: str) -> None:
    outcome = gleitzeit("runs", *arguments)
    assert outcome.code == code, outcome.stderr
    assert words in outcome.stderr
    assert outcome.stdout == ""


def test_a_terminal_sees_and_steers_the_runs_of_every_caller(
    gleitzeit: Command, workplace: Path, environment: dict[str, str]
) -> None:
    echo = written(workplace, "tasks: [{id: a, method: play/echo}]")
    run_id = gleitzeit("submit", echo, "--json").json["run_id"]
    with closing(sqlite3.connect(Path(environment["GLEITZEIT_HOME"]) / "gleitzeit.db")) as database, database:
        database.execute("update run set caller = 'laptop'")
    assert run_id in gleitzeit("runs", "list").stdout
    assert gleitzeit("runs", "show", run_id).code == 0
    assert gleitzeit("runs", "answer", run_id, "--decline").code == 4  # it asks nothing
    assert gleitzeit("runs", "cancel", run_id).code == 0
    assert gleitzeit("runs", "resume", run_id).code == 0


def test_runs_in_memory_are_nothing_that_another_process_sees(gleitzeit: Command) -> None:
    outcome = gleitzeit("runs", "list", env={"GLEITZEIT_ENGINE__DATABASE": "memory"})
    assert outcome.code == 4
    assert (
        "engine.database (environment variable GLEITZEIT_ENGINE__DATABASE): runs are kept in memory" in outcome.stderr
    )


def test_a_database_that_is_none_is_said_and_left_alone(gleitzeit: Command, play: Path) -> None:
    (play / "gleitzeit.db").write_text("a letter that somebody keeps here, and not a database")
    outcome = gleitzeit("runs", "list")
    assert outcome.code == 4
    assert "gleitzeit.db is not a database" in outcome.stderr
    assert (play / "gleitzeit.db").read_text().startswith("a letter")


def test_the_events_of_a_run_are_printed_one_a_line(gleitzeit: Command, workplace: Path) -> None:
    path = written(workplace, "tasks: [{id: a, method: play/fail}]")
    run_id = gleitzeit("run", path, "--json").json["run_id"]
    lines = gleitzeit("runs", "events", run_id).stdout.splitlines()
    assert "run: submitted" in lines[0]
    assert "a: failed: the tool said no" in lines[-2]
    events = [
        json.loads(line) for line in gleitzeit("runs", "events", run_id, "--follow", "--json").stdout.splitlines()
    ]
    assert [event["seq"] for event in events] == list(range(1, len(lines) + 1))
    assert gleitzeit("runs", "events", run_id, "--after", str(len(lines))).stdout == ""


def test_a_failed_run_says_how_to_go_on_and_does(gleitzeit: Command, workplace: Path) -> None:
    path = written(
        workplace,
        "inputs: {x: {type: integer, default: 1}}\ntasks:\n- {id: a, method: play/echo, parameters: {n: 1}}\n"
        '- {id: b, method: play/fail, parameters: {n: "${a.n}", x: "${inputs.x}"}}',
    )
    failed = gleitzeit("run", path)
    run_id = failed.stderr.split()[1]
    assert failed.stderr.splitlines()[-1] == f"to go on with it: gleitzeit runs resume {run_id}"
    (workplace / "changes.yaml").write_text("b: {method: play/echo}\n")
    resumed = gleitzeit("runs", "resume", run_id, "--changes", "changes.yaml", "-i", "x=7")
    assert resumed.code == 0, resumed.stderr
    assert resumed.json == {"n": 1, "x": 7}
    assert f", resumed from {run_id}" in resumed.stderr
    assert f"a: completed, kept from {run_id}" in resumed.stderr
    assert "a: started" not in resumed.stderr


def test_a_run_goes_on_with_another_document_from_a_named_task(gleitzeit: Command, workplace: Path) -> None:
    path = written(workplace, "tasks: [{id: a, method: play/echo}, {id: b, method: play/fail, dependencies: [a]}]")
    run_id = gleitzeit("run", path, "--json").json["run_id"]
    path.write_text("tasks: [{id: a, method: play/echo}, {id: b, method: play/echo, dependencies: [a]}]")
    run = gleitzeit("runs", "resume", run_id, "--workflow", path, "--json").json
    assert (run["status"], run["resumed_from"]) == ("completed", run_id)
    assert run["tasks"]["a"]["metadata"]["kept_from"] == run_id
    again = gleitzeit("runs", "resume", run["run_id"])
    assert again.code == 4
    assert "nothing is left to do" in again.stderr
    named = gleitzeit("runs", "resume", run["run_id"], "--from", "a", "--json").json
    assert "kept_from" not in named["tasks"]["a"]["metadata"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_an_interrupted_run_says_in_its_last_line_how_to_go_on(
    gleitzeit: Command, workplace: Path, environment: dict[str, str], flaky: Path
) -> None:
    path = written(workplace, STUCK.replace("METHOD", "stuck"))
    with running(path, "last: started", environment, workplace) as (process, run_id):
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(timeout=20) == 130
    assert said.splitlines()[-1] == f"to go on with it: gleitzeit runs resume {run_id}"
    (flaky / "free").touch()
    resumed = gleitzeit("runs", "resume", run_id)
    assert (resumed.code, resumed.json) == (0, {"text": "done"})
    assert (flaky / "calls.txt").read_text().split() == ["note", "stuck", "stuck"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_a_run_whose_process_was_killed_goes_on_as_the_same_run(
    gleitzeit: Command, workplace: Path, environment: dict[str, str], flaky: Path
) -> None:
    path = written(workplace, STUCK.replace("METHOD", "stuck"))
    with running(path, "last: started", environment, workplace) as (process, run_id):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    shown = gleitzeit("runs", "show", run_id)
    assert "no process carries it out now; a server that serves flaky/note, flaky/stuck takes it up" in shown.stdout
    assert f"or: gleitzeit runs resume {run_id}" in shown.stdout
    assert gleitzeit("runs", "list", "--json").json["runs"][0]["status"] == "running"
    assert (flaky / "calls.txt").read_text().split() == ["note", "stuck"], "looking at runs must not carry them on"
    (flaky / "free").touch()
    resumed = gleitzeit("runs", "resume", run_id, "--json")
    assert resumed.code == 0, resumed.stderr
    assert (resumed.json["run_id"], resumed.json["outputs"]) == (run_id, {"last": {"text": "done"}})
    assert (flaky / "calls.txt").read_text().split() == ["note", "stuck", "stuck"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_what_may_have_been_done_waits_for_a_decision(
    gleitzeit: Command, workplace: Path, environment: dict[str, str], flaky: Path
) -> None:
    path = written(workplace, STUCK.replace("METHOD", "send"))
    with running(path, "last: started", environment, workplace) as (process, run_id):
        os.kill(process.pid, signal.SIGKILL)
        process.wait(timeout=20)
    (flaky / "free").touch()
    waiting = gleitzeit("runs", "resume", run_id)
    assert waiting.code == 5
    assert f"run {run_id} waits for a decision" in waiting.stderr
    *_, explanation, command = waiting.stderr.splitlines()
    assert explanation.endswith("write for DECISION rerun, skip, completed or failed")
    assert command == f"to go on with it: gleitzeit runs resume {run_id} --unknown last=DECISION"
    shown = gleitzeit("runs", "show", run_id).stdout.splitlines()
    assert shown[-2:] == [explanation, f"next: gleitzeit runs resume {run_id} --unknown last=DECISION"]
    undecided = gleitzeit("runs", "resume", run_id)
    assert undecided.code == 4
    assert "nobody saw how last ended" in undecided.stderr
    assert "--unknown last=DECISION" in undecided.stderr
    assert (flaky / "calls.txt").read_text().split() == ["note", "send"]
    decided = gleitzeit("runs", "resume", run_id, "--unknown", "last=completed", "--json")
    assert decided.code == 0, decided.stderr
    assert decided.json["tasks"]["last"]["metadata"]["decided"] == "completed"
    assert gleitzeit("runs", "show", run_id, "--json").json["status"] == "cancelled"
    successor = decided.json["run_id"]
    assert (
        f"next: it goes on as another run: gleitzeit runs show {successor}" in gleitzeit("runs", "show", run_id).stdout
    )
    assert (flaky / "calls.txt").read_text().split() == ["note", "send"]


def test_the_items_that_nobody_knows_of_are_named_in_the_command_to_paste(
    gleitzeit: Command, workplace: Path, flaky: Path
) -> None:
    each = "{id: each, foreach: [a, b], method: flaky/send, parameters: {text: x}, timeout: 0.1}"
    waiting = gleitzeit("run", written(workplace, f"tasks: [{each}]"))
    assert waiting.code == 5
    run_id = waiting.stderr.split()[1]
    gaps = "--unknown 'each[0]=DECISION' --unknown 'each[1]=DECISION'"
    assert waiting.stderr.splitlines()[-1] == f"to go on with it: gleitzeit runs resume {run_id} {gaps}"
    assert (flaky / "calls.txt").read_text().split() == ["send", "send"]


def test_cancelling_says_that_resuming_may_ask_what_became_of_what_was_running(
    gleitzeit: Command, workplace: Path, environment: dict[str, str], flaky: Path
) -> None:
    path = written(workplace, STUCK.replace("METHOD", "send"))
    with running(path, "last: started", environment, workplace) as (process, run_id):
        outcome = gleitzeit("runs", "cancel", run_id)
        assert "resuming may ask what became of last, cancelled while it ran" in outcome.stderr
        assert outcome.stderr.splitlines()[-1] == f"to go on with it: gleitzeit runs resume {run_id}"
        process.wait(timeout=20)
    assert "resuming may ask what became of last" in gleitzeit("runs", "show", run_id).stdout
    asked = gleitzeit("runs", "resume", run_id)
    assert asked.code == 4
    assert "--unknown last=DECISION" in asked.stderr


def test_hints_speak_of_options_and_commands(gleitzeit: Command, workplace: Path) -> None:
    assert "gleitzeit runs list" in gleitzeit("runs", "show", "nowhere").stderr
    path = written(workplace, "name: good\ntasks: [{id: a, method: play/echo, parameters: {x: 1}}]")
    run_id = gleitzeit("run", path, "--json").json["run_id"]
    assert "--from" in gleitzeit("runs", "resume", run_id).stderr
    assert "--from: there is no task" in gleitzeit("runs", "resume", run_id, "--from", "b").stderr
    gleitzeit("workflows", "save", path)
    path.write_text(path.read_text().replace("x: 1", "x: 2"))
    assert "--overwrite" in gleitzeit("workflows", "save", path).stderr
    named = gleitzeit("run", "good")
    assert named.code == 3
    assert "gleitzeit workflows show good | gleitzeit run -" in named.stderr


def test_a_run_is_cancelled_from_another_process(
    gleitzeit: Command, workplace: Path, environment: dict[str, str], flaky: Path
) -> None:
    path = written(workplace, STUCK.replace("METHOD", "stuck"))
    with running(path, "last: started", environment, workplace) as (process, run_id):
        outcome = gleitzeit("runs", "cancel", run_id, "--reason", "not needed")
        assert outcome.stdout.split() == [run_id, "cancelled"]
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert "not needed" in process.stderr.read()
    assert (flaky / "calls.txt").read_text().split() == ["note", "stuck"]


def test_which_results_were_used_again_and_which_were_not_kept_is_shown(gleitzeit: Command, play: Path) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "providers.md").read_text("utf-8")
    (block,) = re.findall(r"^```python\n(\"\"\"Draws .*?)^```$", documented, re.MULTILINE | re.DOTALL)
    (play / "draw.py").write_text(
        f"{block}\nfrom gleitzeit.registry import ProtocolProviderRegistry\n"
        'ProtocolProviderRegistry.get_instance().register_provider("draw/v1", DrawProvider("draw", ["tide", "time"]))\n'
    )
    (play / "config.yaml").write_text("providers: {path: [.], modules: [draw]}\n")
    (play / "drawn.yaml").write_text(DRAWN)
    first, second = (gleitzeit("run", play / "drawn.yaml", "--json").json["run_id"] for _ in range(2))
    shown = gleitzeit("runs", "show", second).stdout
    assert f"as in {first}/kept, by its cache" in shown
    assert "not cached: no seed; `force: true` in `cache` keeps it anyhow" in shown
