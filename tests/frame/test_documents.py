"""What the documents show is true: their workflows and configurations are valid, and their first steps work."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml
from tests.fork_server import Ended, Launch

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.registry import ProtocolProviderRegistry

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/workflows.md",
    "docs/providers.md",
    "docs/configuration.md",
    "docs/models.md",
    "docs/clients.md",
    "docs/serving.md",
]

# What stands for `uvx mcp-server-time`: the same server, from the environment of the tests.
TIME_SERVER = {"name": "time", "command": [sys.executable, "-m", "mcp_server_time"], "tool_prefix": "time."}


def blocks(document: str, language: str) -> list[str]:
    text = (ROOT / document).read_text(encoding="utf-8")
    indented = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", block, flags=re.MULTILINE) for indent, block in indented]


def yaml_blocks() -> list[Any]:
    return [
        pytest.param(block, id=f"{document}-{number}")
        for document in DOCUMENTS
        for number, block in enumerate(blocks(document, "yaml"), start=1)
    ]


def is_workflow(block: str) -> bool:
    return bool({"tasks", "steps"} & set(yaml.safe_load(block)))


WORKFLOWS = [block for block in yaml_blocks() if is_workflow(block.values[0])]
CONFIGURATIONS = [block for block in yaml_blocks() if not is_workflow(block.values[0])]


@asynccontextmanager
async def an_application(home: Path) -> AsyncGenerator[Application]:
    """An application with the time server and the provider that docs/providers.md writes."""
    (home / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": [TIME_SERVER]}}), encoding="utf-8")
    registry = ProtocolProviderRegistry()
    words = module_of("words", blocks("docs/providers.md", "python")[0], home)
    registry.register_protocol(words.PROTOCOL)
    registry.register_provider(words.PROTOCOL.id, words.WordsProvider("words-1", words.PROTOCOL.id))
    configuration = load_configuration(environ={"GLEITZEIT_HOME": str(home)})
    with anyio.fail_after(30):
        async with open_application(configuration, registry=registry) as application:
            yield application


def module_of(name: str, source: str, folder: Path) -> Any:
    path = folder / f"{name}.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fresh_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry of the process, kept apart: the module of the documentation registers itself when imported."""
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None)


@pytest.mark.anyio
@pytest.mark.usefixtures("fresh_registry")
@pytest.mark.parametrize("workflow", WORKFLOWS)
async def test_a_workflow_of_the_documents_is_valid(workflow: str, tmp_path: Path) -> None:
    async with an_application(tmp_path) as application:
        checked = await application.check(workflow)
        assert [str(diagnostic) for diagnostic in checked.diagnostics] == []


@pytest.mark.anyio
@pytest.mark.parametrize("configuration", CONFIGURATIONS)
async def test_a_configuration_of_the_documents_is_accepted(
    configuration: str, tmp_path: Path, gleitzeit: Callable[..., Ended]
) -> None:
    home = tmp_path / "home"
    (home / "gleitzeit-files").mkdir(parents=True)
    (home / "my-providers").mkdir()
    (home / "my-providers" / "words.py").write_text("", encoding="utf-8")
    for program in ("npx", "uvx"):
        stand_in = home / ".local" / "bin" / program
        stand_in.parent.mkdir(parents=True, exist_ok=True)
        stand_in.write_text("#!/bin/sh\n", encoding="utf-8")
        stand_in.chmod(0o755)
    gleitzeit_home = home / ".gleitzeit"
    gleitzeit_home.mkdir()
    (gleitzeit_home / "config.yaml").write_text(configuration, encoding="utf-8")
    outcome = gleitzeit("config", "check")
    assert outcome.code == 0, outcome.stderr.decode()


@pytest.mark.anyio
@pytest.mark.usefixtures("fresh_registry")
async def test_the_first_workflow_of_the_readme_runs_against_a_real_server(tmp_path: Path) -> None:
    workflow = next(block for block in blocks("README.md", "yaml") if is_workflow(block))
    async with an_application(tmp_path) as application:
        started = await application.submit(workflow, {"home": "Europe/Lisbon"})
        run = await application.engine.wait(started.id, 25)
    assert run.status == "completed", run.error
    assert run.tasks["now"]["timezone"] == "Europe/Lisbon"
    places: Any = run.tasks["noon"].result
    assert [noon["target"]["timezone"] for noon in places] == ["Asia/Tokyo", "America/New_York"]
    assert run.outputs["noon"] == [noon["target"]["datetime"] for noon in places]
    assert run.outputs["today"] == run.tasks["now"]["datetime"]


@pytest.mark.anyio
@pytest.mark.usefixtures("fresh_registry")
async def test_the_provider_of_the_documentation_runs_its_workflow(tmp_path: Path) -> None:
    workflow = next(block for block in blocks("docs/providers.md", "yaml") if is_workflow(block))
    async with an_application(tmp_path) as application:
        started = await application.submit(workflow)
        run = await application.engine.wait(started.id, 25)
    assert run.outputs["count"] == {"count": 3, "first": "time"}


@pytest.fixture
def gleitzeit(tmp_path: Path, launch: Launch) -> Callable[..., Ended]:
    """Calls the command with a bare environment, and a home in the test's folder."""
    home = tmp_path / "home"
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "GLEITZEIT_HOME": str(home / ".gleitzeit")}
    return lambda *arguments: launch(arguments, cwd=tmp_path, env=environment)


def test_every_command_of_the_documents_exists(gleitzeit: Callable[..., Ended]) -> None:
    consoles = [block for document in DOCUMENTS for block in blocks(document, "console")]
    lines = [line for block in consoles for line in block.splitlines() if line.startswith("$ gleitzeit ")]
    inline = [
        command
        for document in DOCUMENTS
        for command in re.findall(r"`gleitzeit ([a-z]+(?: check)?)", (ROOT / document).read_text(encoding="utf-8"))
    ]
    commands = {line.split()[2] for line in lines} | set(inline)
    assert {"install", "run", "methods", "serve"} <= commands
    missing = [name for name in commands if gleitzeit(*name.split(), "--help").code != 0]
    assert missing == []
