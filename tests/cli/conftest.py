"""The real command, as a process with a home of its own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.fork_server import Launch


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a command printed and how it ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Its standard output, read as JSON."""
        return json.loads(self.stdout)


Command = Callable[..., Outcome]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home directory that belongs to the test alone."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """What the command sees of the environment."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GLEITZEIT_", "XDG_", "PYTHON"))}
    return {**kept, "HOME": str(home), "GLEITZEIT_HOME": str(home / ".gleitzeit"), "NO_COLOR": "1"}


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """The folder that the command is called in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def gleitzeit(environment: dict[str, str], workplace: Path, launch: Launch) -> Command:
    """Calls the command and waits for its end."""

    def call(*arguments: str | Path, stdin: str | bytes = "", env: Mapping[str, str] | None = None) -> Outcome:
        content = stdin.encode() if isinstance(stdin, str) else stdin
        words = [str(argument) for argument in arguments]
        ended = launch(words, stdin=content, cwd=workplace, env={**environment, **(env or {})})
        return Outcome(ended.code, ended.stdout.decode(), ended.stderr.decode())

    return call


PROVIDER = """
import anyio

from gleitzeit.core import errors
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

NUMBER = {"value": {"type": "integer", "required": True}}
PLAY = Protocol("play/v1", methods=[
    MethodSpec("play/echo", "Give back what it got.", capabilities=("streaming", "batch")),
    MethodSpec("play/double", "Double a number.", NUMBER, read_only=True),
    MethodSpec("play/fail", "Never works."),
    MethodSpec("play/crash", "Has a defect."),
    MethodSpec("play/sleep", "Takes long."),
])


class Play(ProtocolProvider):
    async def handle_request(self, method, parameters):
        if method == "play/fail":
            raise errors.ToolFailedError("the tool said no", hint="ask it nicely")
        if method == "play/crash":
            raise RuntimeError("a defect")
        if method == "play/double":
            return {"value": 2 * parameters["value"]}
        if method == "play/sleep":
            print("noise on standard output")
            await current_task().report_progress(1, 2, "asleep")
            await anyio.sleep(60)
        return dict(parameters)


registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(PLAY)
registry.register_provider(PLAY.id, Play("play", PLAY.id))
"""


@pytest.fixture
def play(environment: dict[str, str]) -> Path:
    """Configures a provider whose methods do what tests need; returns the home folder of Gleitzeit."""
    home = Path(environment["GLEITZEIT_HOME"])
    home.mkdir()
    (home / "play_provider.py").write_text(PROVIDER)
    (home / "config.yaml").write_text("providers: {path: [.], modules: [play_provider]}\n")
    return home
