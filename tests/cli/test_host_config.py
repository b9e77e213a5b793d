"""Entering a server in a host's file keeps everything else in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.cli.host_config import plan_change, write_change
from gleitzeit.core.errors import ConfigurationError, ConflictError

ENTRY: dict[str, Any] = {"command": "/bin/gleitzeit-mcp", "args": [], "env": {}}


def test_a_new_file_has_the_entry_and_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "config.json"
    assert write_change(plan_change(path, "gleitzeit", ENTRY)) is None
    assert json.loads(path.read_text()) == {"mcpServers": {"gleitzeit": ENTRY}}


def test_other_servers_unknown_keys_and_their_order_stay(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    before: dict[str, Any] = {
        "theme": "dark",
        "mcpServers": {"z": {"command": "z", "odd": [1]}, "a": {"url": "x"}},
        "after": None,
    }
    path.write_text(json.dumps(before))
    write_change(plan_change(path, "gleitzeit", ENTRY))
    after = json.loads(path.read_text())
    assert list(after) == ["theme", "mcpServers", "after"]
    assert list(after["mcpServers"]) == ["z", "a", "gleitzeit"]
    assert after["mcpServers"]["z"] == before["mcpServers"]["z"]
    assert after["mcpServers"]["gleitzeit"] == ENTRY


def test_what_a_person_added_to_the_entry_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    present: dict[str, Any] = {"command": "old", "args": ["x"], "env": {"TOKEN": "t"}, "disabled": True}
    path.write_text(json.dumps({"mcpServers": {"gleitzeit": present}}))
    write_change(plan_change(path, "gleitzeit", ENTRY))
    renewed = json.loads(path.read_text())["mcpServers"]["gleitzeit"]
    assert renewed == {"command": "/bin/gleitzeit-mcp", "args": [], "env": {"TOKEN": "t"}, "disabled": True}


def test_a_remote_entry_of_that_name_becomes_a_local_one(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"mcpServers": {"gleitzeit": {"type": "sse", "url": "http://x", "headers": {}}}}))
    write_change(plan_change(path, "gleitzeit", ENTRY))
    assert json.loads(path.read_text())["mcpServers"]["gleitzeit"] == ENTRY


def test_a_second_time_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    write_change(plan_change(path, "gleitzeit", ENTRY))
    change = plan_change(path, "gleitzeit", ENTRY)
    assert not change.needed
    assert change.diff == ""


def test_the_layout_of_the_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes('\ufeff{\r\n\t"größe": "ü"\r\n}'.encode())
    write_change(plan_change(path, "gleitzeit", ENTRY))
    written = path.read_bytes().decode()
    assert written.startswith('\ufeff{\r\n\t"größe": "ü",\r\n\t"mcpServers"')
    assert written.endswith("\r\n}")


def test_the_backup_has_the_old_bytes_and_the_file_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b'{"a":   1}')
    path.chmod(0o640)
    backup = write_change(plan_change(path, "gleitzeit", ENTRY))
    assert backup is not None
    assert backup.read_bytes() == b'{"a":   1}'
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(entry.name for entry in tmp_path.iterdir()) == sorted(["config.json", backup.name])


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    real = tmp_path / "dotfiles" / "real.json"
    real.parent.mkdir()
    real.write_text("{}")
    link = tmp_path / "config.json"
    link.symlink_to(real)
    write_change(plan_change(link, "gleitzeit", ENTRY))
    assert link.is_symlink()
    assert "gleitzeit" in json.loads(real.read_text())["mcpServers"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{\n  "mcpServers": {,}\n}', "line 2, column 18"),
        (b"// mine\n{}", "line 1, column 1"),
        (b"[]", "not an object"),
        (b'{"mcpServers": []}', "not an object"),
        (b'{"a": 1, "a": 2}', '"a" stands twice'),
        (b"\xff\xfe", "byte 0"),
        (b"[" * 200_000, "left as it is"),
    ],
)
def test_a_file_that_cannot_be_kept_as_it_is_is_not_touched(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as raised:
        plan_change(path, "gleitzeit", ENTRY)
    assert words in raised.value.message
    assert path.read_bytes() == content
    assert len(list(tmp_path.iterdir())) == 1


def test_an_empty_file_is_filled(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(b" \n")
    write_change(plan_change(path, "gleitzeit", ENTRY))
    assert json.loads(path.read_text())["mcpServers"] == {"gleitzeit": ENTRY}


def test_a_file_that_somebody_else_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    change = plan_change(path, "gleitzeit", ENTRY)
    path.write_text('{"theirs": 1}')
    with pytest.raises(ConflictError):
        write_change(change)
    assert path.read_text() == '{"theirs": 1}'


def test_the_diff_shows_the_change_but_no_secret_of_another_server(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"mcpServers": {"git": {"command": "g", "env": {"TOKEN": "hunter2"}}}}, indent=2))
    diff = plan_change(path, "gleitzeit", ENTRY).diff
    assert '+    "gleitzeit": {' in diff
    assert "hunter2" not in diff
