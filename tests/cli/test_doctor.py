"""`gleitzeit doctor` looks at everything that may be wrong, and says how to mend it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.shelf import GOOD
from tests.providers.ollama.fake.process import fake_node

Command = Callable[..., Any]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks for files of hosts where Linux has them")


def found(outcome: Any, subject: str) -> Mapping[str, Any]:
    """The worst finding about a subject."""
    order = ("error", "warning", "ok")
    findings = [finding for finding in outcome.json["findings"] if finding["subject"] == subject]
    return min(findings, key=lambda finding: order.index(finding["level"]))


def test_an_installation_without_a_configuration_is_well(gleitzeit: Command) -> None:
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 0
    assert outcome.json["well"] is True
    for subject in ("Python", "home", "configuration", "database", "installation", "hosts", "mcp", "workflow"):
        assert found(outcome, subject)["level"] == "ok"


def test_findings_are_lines_with_their_fixes(gleitzeit: Command, play: Path) -> None:
    servers = [{"name": "gone", "command": "no-such-server"}]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    outcome = gleitzeit("doctor")
    assert outcome.code == 6
    lines = outcome.stdout.splitlines()
    place = next(index for index, line in enumerate(lines) if line.startswith("error    server gone: "))
    assert "no-such-server is not on PATH" in lines[place]
    assert lines[place + 1] == "           fix: install no-such-server, or give its full path in `command`"
    assert "1 error" in outcome.stderr
    assert any(line.startswith("ok       PATH: ") for line in lines)


def test_each_server_is_really_started_and_listed(gleitzeit: Command, play: Path) -> None:
    servers = [
        GOOD,
        {
            "name": "bad",
            "command": [sys.executable, "-c", "import sys; sys.exit('no licence found')"],
            "max_restarts": 0,
        },
    ]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert "2 tools" in found(outcome, "server good")["message"]
    assert "no licence found" in found(outcome, "server bad")["message"]
    assert found(outcome, "server bad")["fix"]


def test_a_pattern_that_publishes_no_tool_is_told(gleitzeit: Command, play: Path) -> None:
    text = yaml.safe_dump({"mcp": {"servers": [GOOD]}, "server": {"expose_tools": ["good.*", "goood.*"]}})
    (play / "config.yaml").write_text(text)
    outcome = gleitzeit("doctor", "--json")
    told = [entry["message"] for entry in outcome.json["findings"] if entry["subject"] == "server.expose_tools"]
    assert (outcome.code, told) == (0, ["'goood.*' matches no tool of a server"])


def test_a_faulty_configuration_is_a_finding_and_the_rest_is_still_looked_at(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("server:\n  prot: 1\n")
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 4
    assert "line 2" in found(outcome, "configuration")["message"]
    assert '"port"' in found(outcome, "configuration")["fix"]
    assert found(outcome, "installation")["level"] == "ok"


def test_sections_that_do_not_fit_their_providers_are_told(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("mcp: {servers: [{name: a, comand: x}]}\n")
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 4
    assert "comand" in found(outcome, "configuration")["message"]


def test_a_database_that_is_none_is_told(gleitzeit: Command, play: Path) -> None:
    (play / "letter.db").write_text("a letter, and not a database")
    outcome = gleitzeit("doctor", "--json", env={"GLEITZEIT_ENGINE__DATABASE": str(play / "letter.db")})
    assert outcome.code == 4
    assert "is not a database" in found(outcome, "database")["message"]


def test_a_module_that_does_not_load_is_told(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("providers: {path: [.], modules: [play_porvider]}\n")
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert found(outcome, "play_porvider")["level"] == "error"


def test_a_provider_says_in_its_own_words_what_it_finds(gleitzeit: Command, play: Path) -> None:
    examining = (
        "from gleitzeit.core.findings import Finding\n"
        "async def examine(self):\n"
        "    return [Finding('printer', 'warning', 'it is out of paper', 'fill in paper')]\n"
        "Play.examine = examine\n"
    )
    module = play / "play_provider.py"
    module.write_text(module.read_text() + examining)
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 0
    assert found(outcome, "printer")["fix"] == "fill in paper"


def test_a_provider_that_fails_while_it_is_examined_takes_nothing_along(gleitzeit: Command, play: Path) -> None:
    module = play / "play_provider.py"
    module.write_text(
        f"{module.read_text()}async def examine(self):\n    raise RuntimeError('a defect')\nPlay.examine = examine\n"
    )
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert "a defect" in found(outcome, "play")["message"]
    assert found(outcome, "mcp")["level"] == "ok"


def test_an_ollama_that_is_configured_and_does_not_answer_is_an_error(gleitzeit: Command, play: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    (play / "config.yaml").write_text(f"providers: {{ollama: {{endpoint: '{nowhere}'}}}}\n")
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert found(outcome, "ollama")["level"] == "error"


@LINUX
def test_the_entries_of_hosts_are_followed_to_what_they_start(gleitzeit: Command, home: Path, workplace: Path) -> None:
    assert gleitzeit("install", "claude-desktop").code == 0
    (workplace / ".mcp.json").write_text(
        json.dumps({"mcpServers": {"flows": {"command": "/gone/gleitzeit-mcp"}, "other": {"command": "/gone/other"}}})
    )
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert found(outcome, "claude-desktop")["level"] == "ok"
    told = found(outcome, "claude-code")
    assert '"flows"' in told["message"]
    assert "/gone/gleitzeit-mcp, which is not there" in told["message"]
    assert told["fix"] == "gleitzeit install claude-code --name flows"
    assert "/gone/other" not in outcome.stdout
    assert home.is_dir()


@pytest.mark.parametrize("command", ["/a\0b", "~nobody-of-that-name/x"])
def test_an_entry_that_leads_nowhere_is_a_finding(gleitzeit: Command, workplace: Path, command: str) -> None:
    (workplace / ".mcp.json").write_text(json.dumps({"mcpServers": {"gleitzeit": {"command": command}}}))
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert found(outcome, "claude-code")["level"] == "error"


@LINUX
def test_an_entry_without_a_folder_is_a_warning_where_the_desktop_does_not_find_it(
    gleitzeit: Command, workplace: Path
) -> None:
    (workplace / ".mcp.json").write_text('{"mcpServers": {"gleitzeit": {"command": "no-such-uvx", "args": []}}}')
    outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 0
    assert found(outcome, "claude-code")["level"] == "warning"
    (workplace / ".mcp.json").write_text('{"mcpServers": {')
    assert "is not valid JSON" in found(gleitzeit("doctor", "--json"), "claude-code")["message"]


def test_each_ollama_node_is_asked_and_named(gleitzeit: Command, play: Path) -> None:
    with fake_node("--model", "llama3.2", "--warm", "llama3.2") as node:
        ollama = {"endpoints": [node.url, "http://127.0.0.1:9"], "models": {"default": "llama3.2", "vision": "llava"}}
        (play / "config.yaml").write_text(yaml.safe_dump({"providers": {"ollama": ollama}}))
        outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert found(outcome, f"ollama node {node.url}")["message"].startswith("healthy: Ollama 0.5.4, 1 model, 1 loaded")
    gone = found(outcome, "ollama node http://127.0.0.1:9")
    assert (gone["level"], "refused" in gone["message"], "ollama serve" in gone["fix"]) == ("error", True, True)
    missing = found(outcome, "ollama")
    assert 'models.vision is "llava", which no node has' in missing["message"]
    assert "ollama pull llava" in missing["fix"]


def test_what_listens_and_is_no_ollama_is_said(gleitzeit: Command, play: Path) -> None:
    with fake_node("--version", "none") as node:
        address = f"{node.url}/elsewhere"  # as a proxy that leads nowhere
        (play / "config.yaml").write_text(yaml.safe_dump({"providers": {"ollama": {"endpoint": address}}}))
        outcome = gleitzeit("doctor", "--json")
    assert outcome.code == 6
    assert "not an Ollama" in found(outcome, f"ollama node {address}")["message"]
