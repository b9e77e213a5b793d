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
from tests.ways import FULL

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
    """A command at a terminal of its own, which has its results too where it is `whole`."""

    def __init__(self, command: list[str], environment: dict[str, str], folder: Path, *, whole: bool) -> None:
        pty = pytest.importorskip("pty", reason="there are no pseudo-terminals here")
        self._control, terminal = pty.openpty()
        shown = {**environment, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gleitzeit", *command],
            stdin=terminal,
            stdout=terminal if whole else subprocess.PIPE,
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
        return self._process.returncode, (stdout or b"").decode()

    def close(self) -> None:
        """End it without any warning, if it goes on."""
        if self._control >= 0:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            os.close(self._control)
            self._control = -1


@pytest.fixture
def screen(environment: dict[str, str], workplace: Path) -> Iterator[Callable[..., Screen]]:
    opened: list[Screen] = []

    def open_screen(*command: str | Path, whole: bool = False) -> Screen:
        opened.append(Screen([*map(str, command)], environment, workplace, whole=whole))
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


def test_a_single_method_asks_at_the_terminal_too(screen: Callable[..., Screen]) -> None:
    schema = {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer"}}}
    call = screen("call", "curious/ask", "-p", "message=How old is it?", "-p", f"schema={json.dumps(schema)}")
    call.until("call asks: How old is it?")
    call.until("age:")
    call.type("5\n")
    code, stdout = call.end()
    assert (code, json.loads(stdout)) == (0, {"age": 5})


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


def test_another_command_shows_the_question_and_answers_it(
    screen: Callable[..., Screen], gleitzeit: Command, asking: Path
) -> None:
    run = screen("run", asking)
    run.until("age (in years):")
    run_id = gleitzeit("runs", "list", "--json").json["runs"][0]["run_id"]
    data = gleitzeit("runs", "show", run_id, "--json").json
    question = data["questions"][0]["question_id"]
    shown = gleitzeit("runs", "show", run_id).stdout
    wrong = gleitzeit("runs", "answer", run_id, question, "--answer", '{"age": -5}')
    unknown = gleitzeit("runs", "answer", run_id, "nothing", "--decline")
    answered = gleitzeit("runs", "answer", run_id, question, "--answer", '{"age": 5}')
    code, stdout = run.end()
    over = gleitzeit("runs", "answer", run_id, question, "--decline", "--json")
    assert data["status"] == "waiting"
    assert f"question {question} of a: How old is it?" in shown
    assert 'the answer fits {"type": "object"' in shown
    assert f"gleitzeit runs answer {run_id}" in shown
    assert (wrong.code, unknown.code, answered.code) == (4, 3, 0)
    assert "age" in wrong.stderr
    assert (code, json.loads(stdout)) == (0, {"age": 5})
    assert (over.code, over.json["error"]["code"]) == (4, "conflict")


LATER = f"""
tasks:
  - id: a
    method: human/ask
    parameters: {{message: "How old is it?", schema: {SCHEMA}}}
"""
DEPLOY = "tasks: [{id: a, method: human/ask, parameters: {message: Deploy?, person: true}}]"


@pytest.fixture
def waiting(gleitzeit: Command, workplace: Path) -> Callable[[str], str]:
    """Begins a run, and leaves it while it asks; its id."""

    def begin(document: str) -> str:
        path = workplace / "later.yaml"
        path.write_text(document)
        run_id: str = gleitzeit("submit", path, "--json").json["run_id"]
        return run_id

    return begin


def carried_until_it_asks(screen: Callable[..., Screen], run_id: str) -> None:
    """Have a process carry a run out until it asks, and be killed then."""
    run = screen("runs", "resume", run_id)
    run.until("a asks:")
    run.close()


def test_what_nobody_carries_out_is_answered_field_by_field_and_goes_on_later(
    screen: Callable[..., Screen], gleitzeit: Command, waiting: Callable[[str], str]
) -> None:
    run_id = waiting(LATER)
    carried_until_it_asks(screen, run_id)
    assert gleitzeit("runs", "show", run_id, "--json").json["status"] == "waiting"
    answer = screen("runs", "answer", run_id)
    answer.until("age (in years):")
    answer.type("5\n\n\n")
    answer.until("no process carries the run out now")
    code, stdout = answer.end()
    assert (code, stdout) == (0, f"{run_id}  running\n")
    assert gleitzeit("runs", "show", run_id, "--json").json.get("questions") is None
    resumed = gleitzeit("runs", "resume", run_id, "--json")
    assert (resumed.code, resumed.json["outputs"]) == (0, {"a": {"age": 5, "sure": True}})


@pytest.mark.skipif(not FULL, reason="takes several processes one after the other: make ways does it")
def test_fields_are_given_as_texts_of_the_types_that_they_have(
    screen: Callable[..., Screen], gleitzeit: Command, waiting: Callable[[str], str]
) -> None:
    run_id = waiting(LATER)
    carried_until_it_asks(screen, run_id)
    wrong = gleitzeit("runs", "answer", run_id, "-i", "age=old")
    answered = gleitzeit("runs", "answer", run_id, "-i", "age=5", "-i", "sure=false", "--json")
    again = gleitzeit("runs", "answer", run_id, "--decline")
    assert (wrong.code, answered.code, again.code) == (4, 0, 4)
    assert "age" in wrong.stderr
    assert answered.json["status"] == "running"
    assert "asks nothing now" in again.stderr
    assert gleitzeit("runs", "resume", run_id, "--json").json["outputs"] == {"a": {"age": 5, "sure": False}}


def test_a_script_does_not_answer_for_a_person_and_a_person_at_a_terminal_does(
    screen: Callable[..., Screen], gleitzeit: Command, waiting: Callable[[str], str]
) -> None:
    run_id = waiting(DEPLOY)
    carried_until_it_asks(screen, run_id)
    for options in (["--answer", "{}"], ["--decline"], ["-i", "x=1"]):
        refused = gleitzeit("runs", "answer", run_id, *options)
        assert refused.code == 4
        assert "is for a person, and this is no terminal" in refused.stderr
    piped = screen("runs", "answer", run_id)
    piped.until("this is no terminal")
    assert piped.end()[0] == 4
    person = screen("runs", "answer", run_id, whole=True)
    person.until("a asks: Deploy?")
    person.until("yes or no:")
    person.type("\n")
    person.until("yes or no:")
    person.type("yes\n")
    person.until("no process carries the run out now")
    assert gleitzeit("runs", "resume", run_id, "--json").json["outputs"] == {"a": {}}


@pytest.mark.skipif(not FULL, reason="takes several processes one after the other: make ways does it")
def test_a_run_of_a_script_waits_for_a_person_elsewhere(
    screen: Callable[..., Screen], gleitzeit: Command, waiting: Callable[[str], str], environment: dict[str, str]
) -> None:
    run_id = waiting(DEPLOY)
    command = [sys.executable, "-m", "gleitzeit", "runs", "resume", run_id]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as script:
        assert script.stderr is not None
        said = iter(script.stderr)
        assert any("in another one: gleitzeit runs answer" in line for line in said)
        person = screen("runs", "answer", run_id, whole=True)
        person.until("yes or no:")
        person.type("no\n")
        stdout, stderr = script.communicate(timeout=30)
    assert (script.returncode, stdout) == (5, "")
    assert "error[question_declined]" in stderr


def test_where_no_other_process_sees_the_run_nobody_waits_for_a_person(gleitzeit: Command, workplace: Path) -> None:
    path = workplace / "deploy.yaml"
    path.write_text(DEPLOY)
    outcome = gleitzeit("run", path, env={"GLEITZEIT_ENGINE__DATABASE": "memory"})
    assert outcome.code == 130
    assert "only a person can answer it, and there is no terminal to ask at" in outcome.stderr


def test_what_does_not_wait_for_ever_is_not_dismissed(gleitzeit: Command, workplace: Path) -> None:
    path = workplace / "soon.yaml"
    path.write_text(
        "tasks: [{id: a, method: human/ask, parameters: {message: Now?, timeout: 0.2, default: {later: true}}}]"
    )
    outcome = gleitzeit("run", path)
    assert (outcome.code, json.loads(outcome.stdout)) == (0, {"later": True})
    assert "gleitzeit runs answer" in outcome.stderr


@pytest.mark.parametrize("options", [[], ["--answer", "{}", "--decline"], ["--answer", "[]"], ["--answer", "{"]])
def test_an_answer_that_is_none_is_refused(gleitzeit: Command, options: list[str]) -> None:
    outcome = gleitzeit("runs", "answer", "run", "question", *options)
    assert outcome.code == 2
    assert "--answer" in outcome.stderr
