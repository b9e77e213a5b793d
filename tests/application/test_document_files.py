"""Workflow files are read inside of the roots, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gleitzeit.application.document_files import read_document, read_file
from gleitzeit.core.errors import ForbiddenError, LimitError, WorkflowNotFoundError
from gleitzeit.core.reading.source_text import MAX_BYTES

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "report.yaml").write_text("tasks: []")
    (root / "sub" / "deep.yaml").write_text("deep")
    (tmp_path / "outside.yaml").write_text("secret")
    return root


async def test_a_file_is_read_by_relative_and_absolute_path(root: Path) -> None:
    assert await read_document("report.yaml", [root]) == b"tasks: []"
    assert await read_document("sub/../sub/deep.yaml", [root]) == b"deep"
    assert await read_document(root / "report.yaml", [root]) == b"tasks: []"


async def test_the_first_root_that_has_it_counts(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "report.yaml").write_text("other")
    assert await read_document("report.yaml", [other, root]) == b"other"
    assert await read_document("sub/deep.yaml", [other, root]) == b"deep"


@pytest.mark.parametrize(
    "path", ["../outside.yaml", "sub/../../outside.yaml", "/etc/passwd", "link.yaml", "away/outside.yaml"]
)
async def test_nothing_outside_is_read(root: Path, tmp_path: Path, path: str) -> None:
    (root / "link.yaml").symlink_to(tmp_path / "outside.yaml")
    (root / "away").symlink_to(tmp_path)
    with pytest.raises(ForbiddenError, match="outside of the allowed folders") as caught:
        await read_document(path, [root])
    assert "files.roots" in (caught.value.hint or "")


async def test_without_roots_nothing_is_read(root: Path) -> None:
    with pytest.raises(ForbiddenError, match="there are none"):
        await read_document(root / "report.yaml", [])


async def test_a_missing_file_names_the_nearest(root: Path) -> None:
    with pytest.raises(WorkflowNotFoundError) as caught:
        await read_document("reprot.yaml", [root])
    assert caught.value.hint == 'did you mean "report.yaml"?'
    with pytest.raises(WorkflowNotFoundError, match="there is no file"):
        await read_document("nowhere/at/all.yaml", [root])


async def test_a_folder_is_no_document(root: Path) -> None:
    with pytest.raises(WorkflowNotFoundError, match="is a folder"):
        await read_document("sub", [root])


async def test_a_pipe_is_no_document(root: Path) -> None:
    os.mkfifo(root / "pipe.yaml")
    with pytest.raises(WorkflowNotFoundError):
        await read_document("pipe.yaml", [root])


async def test_an_oversized_file_is_not_read(root: Path) -> None:
    with (root / "big.yaml").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(LimitError, match="at most"):
        await read_document("big.yaml", [root])


async def test_a_path_with_a_null_character_is_refused(root: Path) -> None:
    with pytest.raises(ForbiddenError, match="null"):
        await read_document("a\0b", [root])


@pytest.mark.parametrize("name", ["x" * 5_000, "circle.yaml", "a\0b"])
async def test_what_can_be_no_path_is_no_defect(root: Path, name: str) -> None:
    (root / "circle.yaml").symlink_to(root / "circle.yaml")
    with pytest.raises((ForbiddenError, WorkflowNotFoundError)):
        await read_document(name, [root])
    with pytest.raises(WorkflowNotFoundError):
        read_file(root / name)


def test_a_file_anywhere_is_read_and_a_missing_one_names_the_nearest(root: Path) -> None:
    assert read_file(root / "report.yaml") == b"tasks: []"
    for name, hint in {
        "reprot.yaml": 'did you mean "report.yaml"?',
        "nowhere/at.yaml": "there is no folder",
        "sub": "deep.yaml",
        "zzz": "looked for in",
    }.items():
        with pytest.raises(WorkflowNotFoundError) as caught:
            read_file(root / name)
        assert hint in (caught.value.hint or "")
