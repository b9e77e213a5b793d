"""`gleitzeit submit` leaves a run to a server that shares the database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")


@pytest.fixture
def workflow(workplace: Path) -> Path:
    path = workplace / "noted.yaml"
    path.write_text('inputs: {x: integer}\ntasks: [{id: a, method: play/double, parameters: {value: "${inputs.x}"}}]')
    return path


@pytest.fixture
def server(environment: dict[str, str], play: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0"]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("http://")
        yield
        process.terminate()
        process.communicate()


def test_without_a_server_the_run_is_recorded_and_that_is_said(gleitzeit: Command, workflow: Path) -> None:
    submitted = gleitzeit("submit", workflow, "-i", "x=4")
    assert submitted.code == 0, submitted.stderr
    run_id = submitted.stdout.strip()
    assert "no server has taken it up yet" in submitted.stderr
    assert f"gleitzeit runs resume {run_id}" in submitted.stderr
    assert gleitzeit("runs", "show", run_id, "--json").json["tasks"]["a"]["status"] == "pending"
    assert gleitzeit("runs", "resume", run_id).json == {"value": 8}


@pytest.mark.usefixtures("server")
def test_a_server_that_shares_the_database_carries_it_out(gleitzeit: Command, workflow: Path) -> None:
    submitted = gleitzeit("submit", workflow, "-i", "x=4", "--idempotency-key", "k", "--json").json
    assert submitted["taken_up"]
    run_id = submitted["run_id"]
    told = gleitzeit("runs", "events", run_id, "--follow").stdout
    assert "run: completed" in told
    assert gleitzeit("runs", "show", run_id, "--json").json["outputs"] == {"a": {"value": 8}}
    again = gleitzeit("submit", workflow, "-i", "x=4", "--idempotency-key", "k", "--json").json
    assert again["run_id"] == run_id
    other = gleitzeit("submit", workflow, "-i", "x=5", "--idempotency-key", "k")
    assert other.code == 4
    assert "another --idempotency-key" in other.stderr


def test_a_mistake_is_told_before_anything_is_recorded(gleitzeit: Command, workflow: Path) -> None:
    assert gleitzeit("submit", workflow).code == 4
    assert gleitzeit("submit", "nowhere.yaml").code == 3
    assert gleitzeit("runs", "list", "--json").json["runs"] == []
