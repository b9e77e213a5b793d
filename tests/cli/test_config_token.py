"""`gleitzeit config token` makes a token that the server takes, and shows it once."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

Command = Callable[..., Any]

USUAL = ["workflows:read", "workflows:run", "workflows:write"]


@pytest.fixture
def config(home: Path) -> Path:
    path = home / ".gleitzeit" / "config.yaml"
    path.parent.mkdir()
    return path


def test_the_token_is_the_one_line_on_standard_output_and_only_its_hash_is_kept(
    gleitzeit: Command, config: Path
) -> None:
    outcome = gleitzeit("config", "token", "laptop")
    assert outcome.code == 0
    assert re.fullmatch(r"gleitzeit_[A-Za-z0-9_-]{43}\n", outcome.stdout)
    token = outcome.stdout.strip()
    kept = config.read_text(encoding="utf-8")
    assert token not in kept + outcome.stderr
    digest = hashlib.sha256(token.encode()).hexdigest()
    assert yaml.safe_load(kept) == {
        "server": {"tokens": [{"name": "laptop", "hash": f"sha256:{digest}", "scopes": USUAL}]}
    }
    assert config.stat().st_mode & 0o777 == 0o600
    assert gleitzeit("config", "check").code == 0


def test_what_stands_in_the_file_stays_to_the_letter_and_so_does_its_mode(gleitzeit: Command, config: Path) -> None:
    before = "# mine\nserver:\n  port: 9000  # not 8000\n\nlimits: {open_runs: 5}\n"
    config.write_text(before, encoding="utf-8")
    config.chmod(0o640)
    first = gleitzeit("config", "token", "a", "--json").json
    second = gleitzeit("config", "token", "b", "--scopes", "workflows:read", "--json").json
    after = config.read_text(encoding="utf-8")
    assert [line for line in before.splitlines() if line not in after.splitlines()] == []
    assert yaml.safe_load(after)["server"] == {"port": 9000, "tokens": [first["entry"], second["entry"]]}
    assert config.stat().st_mode & 0o777 == 0o640
    assert Path(second["backup"]).stat().st_mode & 0o777 == 0o640
    assert first["changed"]


def test_that_an_older_token_of_that_name_still_works_is_said(gleitzeit: Command, config: Path) -> None:
    assert "other" not in gleitzeit("config", "token", "laptop").stderr
    assert "another token of laptop can still be used" in gleitzeit("config", "token", "laptop").stderr
    assert "2 other tokens of laptop can still be used" in gleitzeit("config", "token", "laptop").stderr


def test_it_may_be_only_printed(gleitzeit: Command, config: Path) -> None:
    outcome = gleitzeit("config", "token", "laptop", "--print")
    assert not config.exists()
    assert "sha256:" in outcome.stderr
    assert outcome.stdout.strip() not in outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["a b"], "a name has 1 to 64 letters"),
        (["../x"], "a name has 1 to 64 letters"),
        (["me", "--scopes", "workflows:all"], "workflows:read"),
        (["me", "--scopes", ""], "workflows:read"),
    ],
)
def test_what_can_not_be_entered_makes_no_token(
    gleitzeit: Command, config: Path, arguments: list[str], hint: str
) -> None:
    outcome = gleitzeit("config", "token", *arguments)
    assert outcome.code == 4
    assert outcome.stdout == ""
    assert hint in outcome.stderr
    assert not config.exists()


def test_a_file_that_lines_can_not_extend_is_left_alone(gleitzeit: Command, config: Path) -> None:
    text = "server: {port: 9000}\n"
    config.write_text(text, encoding="utf-8")
    outcome = gleitzeit("config", "token", "me")
    assert outcome.code == 4
    assert "--print" in outcome.stderr
    assert outcome.stdout == ""
    assert config.read_text(encoding="utf-8") == text


def test_with_a_token_others_may_be_served_and_are_warned_of_plain_http(
    gleitzeit: Command, environment: dict[str, str], workplace: Path, config: Path
) -> None:
    token = gleitzeit("config", "token", "laptop").stdout.strip()
    command = [sys.executable, "-m", "gleitzeit", "serve", "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=workplace
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip().replace("0.0.0.0", "127.0.0.1")
        stranger = httpx2.get(url)
        friend = httpx2.get(url, headers={"Authorization": f"Bearer {token}"})
        process.terminate()
        told = process.communicate()[1]
    assert stranger.status_code == 401
    assert friend.status_code == 400  # it is let in, and has asked for nothing
    assert "plain HTTP" in told
    assert token not in told
