"""A path in a parameter means a file inside of the roots, or is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from gleitzeit.core.errors import ForbiddenError, NotFoundError
from gleitzeit.providers.base import TaskContext


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "notes.txt").write_text("notes")
    (tmp_path / "outside.txt").write_text("secret")
    return root


def test_the_first_root_that_has_it_counts(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert TaskContext(roots=(other, root)).path("notes.txt") == (root / "notes.txt").resolve()
    (other / "notes.txt").write_text("others")
    assert TaskContext(roots=(other, root)).path("notes.txt") == (other / "notes.txt").resolve()
    assert TaskContext(roots=(other, root)).path(str(root / "notes.txt")) == (root / "notes.txt").resolve()


@pytest.mark.parametrize("name", ["../outside.txt", "sub/../../outside.txt", "/etc/passwd", "link.txt"])
def test_what_lies_outside_is_forbidden(root: Path, tmp_path: Path, name: str) -> None:
    (root / "link.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(ForbiddenError, match="outside of the allowed folders"):
        TaskContext(roots=(root,)).path(name)


def test_without_roots_everything_is_outside(root: Path) -> None:
    with pytest.raises(ForbiddenError, match="there are none"):
        TaskContext().path(str(root / "notes.txt"))


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nots.txt", 'there is no file "nots.txt"', 'did you mean "notes.txt"?'),
        (
            "nowhere/at/all.txt",
            "there is no file",
            "put it there, or add the folder that it is in to files.roots in the configuration",
        ),
        ("sub", '"sub" is a folder', "name a file in it"),
    ],
)
def test_what_is_missing_is_not_found(root: Path, name: str, message: str, hint: str | None) -> None:
    with pytest.raises(NotFoundError) as caught:
        TaskContext(roots=(root,)).path(name)
    assert message in caught.value.message
    assert caught.value.hint == hint


@pytest.mark.parametrize("name", ["a\0b", "a\ud800b", "x" * 5_000, "circle"])
def test_what_is_no_path_is_forbidden(root: Path, name: str) -> None:
    (root / "circle").symlink_to(root / "circle")
    with pytest.raises((ForbiddenError, NotFoundError)):
        TaskContext(roots=(root,)).path(name)
