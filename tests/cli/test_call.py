"""`gleitzeit call` carries out one method and prints its result."""

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


def test_the_result_is_the_only_thing_on_standard_output(gleitzeit: Command) -> None:
    outcome = gleitzeit("call", "play/double", "-p", "value=21")
    assert (outcome.code, outcome.json) == (0, {"value": 42})
    assert "call: completed" in outcome.stderr


def test_parameters_are_read_as_the_types_that_the_method_declares_and_as_json_else(gleitzeit: Command) -> None:
    given = ["-p", "text=hello", "-p", "n=1.5", "-p", 'list=["a"]', "-p", "empty=", "-p", "expression=a=b"]
    expected = {"text": "hello", "n": 1.5, "list": ["a"], "empty": "", "expression": "a=b"}
    assert gleitzeit("call", "play/echo", *given).json == expected


@pytest.mark.parametrize("form", ["json", "yaml", "file"])
def test_parameters_come_whole_and_single_ones_go_before(form: str, gleitzeit: Command, workplace: Path) -> None:
    texts = {"json": '{"a": 1, "b": "${x}"}', "yaml": "a: 1\nb: ${x}\n", "file": "@given.json"}
    (workplace / "given.json").write_text(texts["json"])
    assert gleitzeit("call", "play/echo", "--parameters", texts[form]).json == {"a": 1, "b": "${x}"}
    assert gleitzeit("call", "play/echo", "--parameters", texts[form], "-p", "a=2").json == {"a": 2, "b": "${x}"}


def test_the_whole_run_is_there_as_json_and_stays_in_the_list(gleitzeit: Command) -> None:
    run = gleitzeit("call", "play/double", "-p", "value=1", "--json").json
    assert (run["status"], run["tasks"]["call"]["result"]) == ("completed", {"value": 2})
    assert run["run_id"] in gleitzeit("runs", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["play/nothing"], 3, "play/"),
        (["play/double", "-p", "value=much"], 4, "parameter value: must be"),
        (["play/double"], 4, "value"),
        (["play/echo", "-p", "novalue"], 2, "KEY=VALUE"),
        (["play/echo", "--parameters", "[1]"], 4, "mapping"),
        (["play/echo", "--parameters", '{"a": '], 4, "--parameters"),
        (["play/echo", "--parameters", "@nowhere.json"], 3, "nowhere.json"),
        (["play/fail"], 5, "the tool said no"),
        (["play/crash"], 5, "provider_crashed"),
        ([], 2, "METHOD"),
    ],
)
def test_what_goes_wrong_has_an_exit_code_and_a_reason(
    arguments: list[str], code: int, words: str, gleitzeit: Command
) -> None:
    outcome = gleitzeit("call", *arguments)
    assert (outcome.code, outcome.stdout) == (code, "")
    assert words in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_what_the_policy_denies_is_not_carried_out_here_either(gleitzeit: Command, play: Path) -> None:
    with (play / "config.yaml").open("a") as file:
        file.write("policy: {deny: [play/echo]}\n")
    outcome = gleitzeit("call", "play/echo")
    assert outcome.code == 4
    assert "policy.deny" in outcome.stderr


def test_files_are_found_where_the_command_is_called(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "sum.py").write_text("print(1 + 1)")
    outcome = gleitzeit("call", "python/execute", "-p", "script=sum.py")
    assert outcome.code == 0, outcome.stderr
    assert outcome.json == {"result": 2}


def test_a_call_that_takes_too_long_is_cancelled(gleitzeit: Command) -> None:
    outcome = gleitzeit("call", "play/sleep", "--timeout", "0.5", "--json")
    assert outcome.code == 7
    assert outcome.json["status"] == "cancelled"
    assert "after 0.5 seconds" in outcome.stderr


def test_it_is_in_the_audit_like_everything_else(gleitzeit: Command, play: Path) -> None:
    with (play / "config.yaml").open("a") as file:
        file.write("server: {audit: audit.jsonl}\n")
    gleitzeit("call", "play/double", "-p", "value=1")
    told = [json.loads(line) for line in (play / "audit.jsonl").read_text().splitlines()]
    assert [(line["event"], line["method"]) for line in told] == [("decided", "play/double"), ("ended", "play/double")]


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
def test_an_interrupt_cancels_it_and_keeps_the_run(workplace: Path, environment: dict[str, str]) -> None:
    command = [sys.executable, "-m", "gleitzeit", "call", "play/sleep", "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=workplace
    ) as process:
        assert process.stderr is not None
        assert process.stdout is not None
        for line in process.stderr:
            if "asleep" in line:
                break
        process.send_signal(signal.SIGINT)
        printed, rest = process.stdout.read(), process.stderr.read()
    assert process.returncode == 130
    assert json.loads(printed)["status"] == "cancelled"
    assert "gleitzeit runs resume" in rest
