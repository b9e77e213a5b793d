"""Every example runs, and gives what it promises."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.fork_server import Launch

from gleitzeit.cli import demo

Run = Callable[..., Any]
Servers = Callable[..., Path]


def test_the_overview_needs_nothing(run: Run) -> None:
    assert run("overview.yaml")["outputs"] == {"servers": 0, "tools": 0, "names": []}


def test_the_overview_names_the_tools_of_the_servers(run: Run, servers: Servers) -> None:
    outputs = run("overview.yaml", "--config", servers())["outputs"]
    assert outputs["servers"] == 3
    assert "library: search" in outputs["names"]
    assert outputs["tools"] == len(outputs["names"])


def test_the_meeting_is_at_the_right_time_everywhere(run: Run, servers: Servers) -> None:
    outputs = run("meeting-times.yaml", "--config", servers("time"), "-i", "time=09:30", "-i", "home=UTC")["outputs"]
    assert outputs["meeting"] == "09:30 in UTC"
    assert [line.split(": ")[0] for line in outputs["times"]] == ["America/New_York", "Asia/Tokyo", "Africa/Nairobi"]
    assert "T18:30:00+09:00" in outputs["times"][1]


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


def test_the_digest_reads_changes_only_where_there_are_some(run: Run, servers: Servers, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    repository.mkdir()
    git(repository, "init")
    (repository / "notes.txt").write_text("first\n")
    git(repository, "add", ".")
    git(repository, "commit", "-m", "Begin")
    configuration = servers("git")
    clean = run("repository-digest.yaml", "--config", configuration, "-i", f"repository={repository}")
    assert clean["outputs"]["changes"] == "none"
    assert clean["tasks"]["changes"]["status"] == "skipped"
    assert "Begin" in clean["outputs"]["history"]
    (repository / "notes.txt").write_text("second\n")
    changed = run("repository-digest.yaml", "--config", configuration, "-i", f"repository={repository}")
    assert "+second" in changed["outputs"]["changes"]


def test_a_failure_that_may_happen_has_a_way_round(run: Run, servers: Servers) -> None:
    configuration = servers("time")
    failed = run("fault-tolerance.yaml", "--config", configuration)
    assert failed["tasks"]["there"]["status"] == "failed"
    assert failed["tasks"]["there"]["attempts"] == 2
    assert failed["outputs"]["time"].endswith("+00:00")
    worked = run("fault-tolerance.yaml", "--config", configuration, "-i", "place=Asia/Tokyo")
    assert worked["tasks"]["here"]["status"] == "skipped"
    assert worked["outputs"]["time"].endswith("+09:00")


def test_each_text_is_summarised_and_then_all_together(run: Run, servers: Servers) -> None:
    outputs = run("summaries.yaml", "--config", servers("library"), "-i", "topic=sea")["outputs"]
    assert [sentence[10:15] for sentence in outputs["sentences"]] == ["Twice", "A lig", "A sal"]
    assert outputs["digest"].startswith("You said: Make one paragraph of these sentences: [")


def test_the_text_that_is_asked_for_is_the_closest(run: Run, servers: Servers) -> None:
    question = "Our shop opens at nine."
    outputs = run("closest-text.yaml", "--config", servers("library"), "-i", f"question={question}")["outputs"]
    assert outputs == {"text": question, "likeness": 1}


def test_the_configuration_of_the_examples_is_accepted(
    examples: Path, environment: dict[str, str], tmp_path: Path, launch: Launch
) -> None:
    for path in (examples / "config.yaml", examples / "custom-provider" / "config.yaml"):
        ended = launch(["config", "check", "--config", str(path)], cwd=tmp_path, env=environment)
        assert ended.code == 0, ended.stderr.decode()


def test_the_custom_provider_ranks_what_the_library_has(run: Run, examples: Path) -> None:
    outputs = run("custom-provider/workflow.yaml", "--config", examples / "custom-provider" / "config.yaml")["outputs"]
    assert outputs["books"] == 3
    assert outputs["report"].startswith("1. ")


@pytest.mark.parametrize("name", ["text_provider.py", "workflow.yaml"])
def test_the_custom_provider_is_the_one_of_the_demo(name: str, examples: Path) -> None:
    shown = Path(demo.__path__[0]) / name
    assert (examples / "custom-provider" / name).read_bytes() == shown.read_bytes()


def test_every_workflow_is_listed(examples: Path) -> None:
    text = (examples / "README.md").read_text()
    for path in examples.glob("*.yaml"):
        assert f"`{path.name}`" in text
