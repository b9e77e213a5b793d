"""Places that no request may reach are refused as roots."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gleitzeit.config import Configuration, usable_root
from gleitzeit.core.errors import ConfigurationError

Load = Callable[..., Configuration]


def test_a_folder_is_a_root_relative_to_the_file(load: Load, home: Path, tmp_path: Path) -> None:
    (home / "data").mkdir()
    (tmp_path / "other").mkdir()
    config = load(f"files: {{roots: [data, {tmp_path}/other]}}")
    assert config.files.roots == (home / "data", tmp_path / "other")


@pytest.mark.parametrize(
    "root",
    ["/", "~", "/etc", "/usr", "/usr/lib", "/proc/self", "/home", "/dev", "//", "/etc/../etc", "~/.ssh", "/var"],
)
def test_system_and_home_directories_are_refused(load: Load, root: str) -> None:
    with pytest.raises(ConfigurationError, match=r"files.roots \(config.yaml, line 2\): .* can't be a root"):
        load(f"files:\n  roots: ['{root}']\n")


def test_what_holds_the_home_directory_or_the_configuration_is_refused(load: Load, tmp_path: Path) -> None:
    for root in (str(Path.home().parent), str(tmp_path), "."):
        with pytest.raises(ConfigurationError, match="can't be a root"):
            load(f"files: {{roots: ['{root}']}}")


def test_a_link_does_not_get_around_it(load: Load, home: Path) -> None:
    (home / "link").symlink_to("/etc")
    with pytest.raises(ConfigurationError, match="it is a system directory"):
        load("files: {roots: [link]}")


def test_a_folder_that_may_not_be_a_root_is_left_out(home: Path, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    assert usable_root(tmp_path / "flows", home) == tmp_path / "flows"
    assert usable_root(Path.home(), home) is None
    assert usable_root(tmp_path / "missing", home) is None
