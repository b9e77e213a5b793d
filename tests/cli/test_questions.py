"""`gleitzeit run` asks the person at its terminal; `gleitzeit runs` shows what is asked."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("curious")

PROVIDER = """
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry


class Curious(ProtocolProvider):
    async def handle_request(self, method, parameters):
        return await current_task().ask(parameters["message"], parameters.get("schema"))


registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(Protocol("curious/v1", methods=["curious/ask"]))
registry.register_provider("curious/v1", Curious("curious", "curious/v1"))
"""

SCHEMA = """{type: object, required: [age], properties: {
  age: {type: integer, minimum: 0, description: in years},
  sure: {type: boolean, default: true}, kind: {type: string, enum: [cat, dog]}}}"""

ASKING = f"""
tasks:
  - id: a
    method: curious/ask
    parameters: {{message: "How old is it?", schema: {SCHEMA}}}
"""


@pytest.fixture
def curious(environment: dict[str, str]) -> None:
    """Configures a provider that asks a person."""
    home = Path(environment["GLEITZEIT_HOME"])
    home.mkdir()
    (home / "curious.py").write_text(PROVIDER)
    (home / "config.yaml").write_text("providers: {path: [.], modules: [curious]}\n")


@pytest.fixture
def asking(workplace: Path) -> Path:
    path = workplace / "asking.yaml"
    path.write_text(ASKING)
    return path


class Screen:
    """A command at a terminal of its own."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path) -> None:
        pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
        self._control, terminal = pty.openpty()
        shown = {**environment, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gleitzeit", *command],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=shown,
            cwd=folder,
            start_new_session=True,
        )
        os.close(terminal)
        self.text = ""

    def until(self, words: str) -> str:
        """What is on the screen once `words` are, from where it was looked at last."""
        end = time.monotonic() + 30
        while words not in self.text:
            ready, _, _ = select.select([self._control], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{words!r} did not appear: {self.text!r}"
            self.text += re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", os.read(self._control, 4096).decode())
        shown, _, self.text = self.text.partition(words)
        return shown + words

    def type(self, text: str) -> None:
        os.write(self._control, text.encode())

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        os.killpg(self._process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """The exit code and standard output."""
        stdout, _ = self._process.communicate(timeout=30)
        return self._process.returncode, stdout.decode()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._control)


@pytest.fixture
def screen(environment: dict[str, str], workplace: Path) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def open_screen(*command: str | Path) -> Screen:
        opened.append(Screen([*map(str, command)], environment, workplace))
        return opened[-1]

    yield open_screen
    for one in opened:
        one.close()


def test_the_person_at_the_terminal_is_asked_field_by_field(screen: Callable[..., Screen], asking: Path) -> None:
    run = screen("run", asking)
    run.until("a asks: How old is it?")
    assert "in years" in run.until("age (in years):")
    run.type("five\n")
    run.until("sure (yes or no; Enter: true):")
    run.type("\n")
    run.until("kind (cat | dog; Enter leaves it out):")
    run.type("cat\n")
    assert "age" in run.until("that does not fit: the answer: age")
    run.until("age (in years):")
    run.type("5\nno\n\n")  # whoever types ahead is heard
    code, stdout = run.end()
    assert (code, json.loads(stdout)) == (0, {"age": 5, "sure": False})


def test_the_end_of_the_input_declines(screen: Callable[..., Screen], asking: Path) -> None:
    run = screen("run", asking)
    run.until("age (in years):")
    run.type("\x04")
    run.until("question_declined")
    assert run.end()[0] == 5


def test_an_answer_that_is_no_form_is_typed_as_json(screen: Callable[..., Screen], workplace: Path) -> None:
    path = workplace / "deep.yaml"
    schema = "{type: object, properties: {pets: {type: array, items: {type: object}}}}"
    path.write_text(f'tasks: [{{id: a, method: curious/ask, parameters: {{message: "Which?", schema: {schema}}}}}]')
    run = screen("run", path)
    run.until("answer:")
    run.type("nonsense\n")
    run.until("that is no JSON")
    run.until("answer:")
    run.type('{"pets": [{"name": "Rex"}]}\n')
    code, stdout = run.end()
    assert (code, json.loads(stdout)) == (0, {"pets": [{"name": "Rex"}]})


def test_an_interrupt_while_a_question_is_open_cancels_the_run(screen: Callable[..., Screen], asking: Path) -> None:
    run = screen("run", asking)
    run.until("age (in years):")
    run.interrupt()
    run.until("cancelling the run")
    assert run.end()[0] == 130


def test_without_a_terminal_a_question_is_dismissed_in_words(gleitzeit: Command, asking: Path) -> None:
    outcome = gleitzeit("run", asking)
    assert outcome.code == 5
    assert "a asks: How old is it?" in outcome.stderr
    assert "there is no terminal to answer at" in outcome.stderr
    assert "error[question_declined]" in outcome.stderr


def test_another_command_shows_the_question_and_says_who_takes_the_answer(
    screen: Callable[..., Screen], gleitzeit: Command, asking: Path
) -> None:
    run = screen("run", asking)
    run.until("age (in years):")
    run_id = gleitzeit("runs", "list", "--json").json["runs"][0]["run_id"]
    data = gleitzeit("runs", "show", run_id, "--json").json
    question = data["questions"][0]["question_id"]
    shown = gleitzeit("runs", "show", run_id).stdout
    answered = gleitzeit("runs", "answer", run_id, question, "--answer", '{"age": 5}')
    unknown = gleitzeit("runs", "answer", run_id, "nothing", "--decline")
    run.type("5\n\n\n")
    assert run.end()[0] == 0
    over = gleitzeit("runs", "answer", run_id, question, "--decline", "--json")
    assert data["status"] == "waiting"
    assert f"question {question} of a: How old is it?" in shown
    assert "runs resume" not in shown
    assert answered.code == 4
    assert "carried out by another process" in answered.stderr
    assert "at the terminal, that carries it out" in answered.stderr
    assert unknown.code == 3
    assert (over.code, over.json["error"]["code"]) == (4, "conflict")


@pytest.mark.parametrize("options", [[], ["--answer", "{}", "--decline"], ["--answer", "[]"], ["--answer", "{"]])
def test_an_answer_that_is_none_is_refused(gleitzeit: Command, options: list[str]) -> None:
    outcome = gleitzeit("runs", "answer", "run", "question", *options)
    assert outcome.code == 2
    assert "--answer" in outcome.stderr
