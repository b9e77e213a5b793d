"""Workflows saved from a command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")

NOTED = "name: noted\ndescription: Doubles.\ntasks: [{id: a, method: play/double, parameters: {value: 4}}]\n"


@pytest.fixture
def noted(workplace: Path) -> Path:
    path = workplace / "noted.yaml"
    path.write_text(NOTED)
    return path


def test_a_workflow_is_saved_listed_shown_run_and_deleted(gleitzeit: Command, noted: Path) -> None:
    assert gleitzeit("workflows", "list").stderr == "no workflow is saved yet\n"
    assert gleitzeit("workflows", "save", noted).stdout == "noted, version 1\n"
    assert "Doubles." in gleitzeit("workflows", "list").stdout
    shown = gleitzeit("workflows", "show", "noted").stdout
    assert gleitzeit("run", "-", stdin=shown).json == {"value": 8}
    assert gleitzeit("workflows", "show", "noted", "--json").json["workflow"]["name"] == "noted"
    assert gleitzeit("workflows", "delete", "noted").code == 0
    assert gleitzeit("workflows", "list", "--json").json == {"workflows": []}


def test_another_workflow_of_that_name_is_replaced_only_on_purpose(gleitzeit: Command, noted: Path) -> None:
    gleitzeit("workflows", "save", noted)
    noted.write_text(NOTED.replace("4", "5"))
    refused = gleitzeit("workflows", "save", noted)
    assert refused.code == 4
    assert "noted" in refused.stderr
    assert gleitzeit("workflows", "save", noted, "--overwrite", "--json").json["version"] == 2
    assert gleitzeit("workflows", "save", noted, "--name", "other").stdout == "other, version 1\n"


def test_what_is_not_there_or_can_not_run_is_said(gleitzeit: Command, workplace: Path) -> None:
    for command in ("show", "delete"):
        outcome = gleitzeit("workflows", command, "noted")
        assert outcome.code == 3
        assert "none is saved yet" in outcome.stderr
    bad = workplace / "bad.yaml"
    bad.write_text("tasks: [{id: a, method: play/doubel}]")
    outcome = gleitzeit("workflows", "save", bad)
    assert outcome.code == 4
    assert "play/double" in outcome.stderr


def test_workflows_in_files_are_listed_shown_and_never_changed(
    gleitzeit: Command, workplace: Path, noted: Path
) -> None:
    folder = workplace / "shared"
    folder.mkdir()
    noted.rename(folder / "noted.yaml")
    (folder / "bad.yaml").write_text("tasks: [{id: a, metod: play/double}]")
    config = workplace / "with-files.yaml"
    config.write_text("providers: {modules: [play], path: [.]}\nworkflows: {directories: [shared]}\n")
    listed = gleitzeit("workflows", "list", "--config", config)
    assert listed.stdout.startswith(f"noted  {folder / 'noted.yaml'}  ")
    assert 'did you mean "method"?' in listed.stderr
    told = gleitzeit("workflows", "list", "--json", "--config", config).json
    assert [entry["path"] for entry in told["workflows"]] == [str(folder / "noted.yaml")]
    assert [problem["subject"] for problem in told["problems"]] == ["bad.yaml"]
    assert "play/double" in gleitzeit("workflows", "show", "noted", "--config", config).stdout
    refused = gleitzeit("workflows", "delete", "noted", "--config", config)
    assert (refused.code, "can't be changed from here" in refused.stderr) == (4, True)
    assert "workflows show noted" in gleitzeit("run", "noted", "--config", config).stderr
    found = gleitzeit("doctor", "--json", "--config", config).json["findings"]
    assert {"subject": "workflows.directories", "level": "ok", "message": "1 workflow in files"} in found
    assert [finding["level"] for finding in found if finding["subject"] == f"workflow {folder / 'bad.yaml'}"]
