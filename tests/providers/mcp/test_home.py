"""The files of the hub are in one place, and whole."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from gleitzeit.config import home_folder as home_of_the_server
from gleitzeit_mcp.catalog.manifest import Manifest, read_manifest, write_manifest
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.home import home_folder, write_whole
from gleitzeit_mcp.servers.nesting import place_of

SERVER = Server.model_validate({"name": "own", "command": "own"})


@pytest.mark.parametrize("named", ["", "home", "~/home", "/somewhere/home"])
def test_the_home_is_that_of_the_server_however_it_is_named(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLEITZEIT_HOME", named)
    assert home_folder() == home_of_the_server()
    assert home_folder().is_absolute()


def test_a_relative_home_is_the_same_place_as_its_full_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GLEITZEIT_HOME", "home")
    relative = place_of([SERVER], {})
    monkeypatch.setenv("GLEITZEIT_HOME", str(tmp_path / "home"))
    assert place_of([SERVER], {}) == relative


def test_a_file_replaces_the_one_before_and_is_its_owners_alone(tmp_path: Path) -> None:
    file = tmp_path / "file"
    write_whole(file, b"before")
    write_whole(file, b"after")
    assert file.read_bytes() == b"after"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]


def test_a_write_that_fails_leaves_no_draft_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"data")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_manifest_that_cannot_be_written_leaves_no_draft_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GLEITZEIT_HOME", str(tmp_path))
    write_manifest(SERVER, Manifest(asks=True))
    assert read_manifest(SERVER) == Manifest(tools=[], asks=True)
    (place,) = (tmp_path / "manifests").iterdir()
    place.unlink()
    place.mkdir()
    write_manifest(SERVER, Manifest())
    assert list(place.parent.iterdir()) == [place]
