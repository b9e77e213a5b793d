"""Bad parameters: a clear error that names them, before anything runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError, NotFoundError, ValidationError
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.requests.request import job_of


def refusal(root: Path, settings: PythonSettings | None = None, **parameters: Any) -> GleitzeitError:
    with pytest.raises(GleitzeitError) as caught:
        job_of(parameters, settings or PythonSettings(), (root,))
    return caught.value


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    (folder / "sub").mkdir(parents=True)
    (folder / "fine.py").write_text("print(1)", encoding="utf-8")
    (folder / "data.csv").write_text("1", encoding="utf-8")
    (tmp_path / "outside.py").write_text("secret", encoding="utf-8")
    return folder


@pytest.mark.parametrize("parameter", ["script", "files"])
@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("missing.py", NotFoundError, "there is no file"),
        ("fien.py", NotFoundError, "there is no file"),
        ("sub", NotFoundError, "is a folder"),
        ("../outside.py", ForbiddenError, "outside of the allowed folders"),
        ("/etc/passwd", ForbiddenError, "outside of the allowed folders"),
        ("a\0b", ForbiddenError, "null characters"),
    ],
)
def test_a_path_that_leads_nowhere_good_is_named(
    root: Path, parameter: str, name: str, kind: type[GleitzeitError], words: str
) -> None:
    given: dict[str, Any] = {"script": name} if parameter == "script" else {"code": "1", "files": [name]}
    error = refusal(root, **given)
    assert isinstance(error, kind)
    assert error.message.startswith(f"{parameter}: ")
    assert words in error.message


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no FIFOs on this system")
def test_a_fifo_and_a_link_that_leads_out_are_refused(root: Path) -> None:
    os.mkfifo(root / "pipe")
    (root / "link.py").symlink_to(root.parent / "outside.py")
    assert "is not a regular file" in refusal(root, script="pipe").message
    assert isinstance(refusal(root, script="link.py"), ForbiddenError)
    assert "is not a regular file" in refusal(root, code="1", files=["pipe"]).message


@pytest.mark.parametrize(
    ("folders", "kind"),
    [("missing", NotFoundError), ("fine.py", NotFoundError), ("/etc", ForbiddenError), ("sub:../", ForbiddenError)],
)
def test_pythonpath_names_folders_inside_of_the_roots(root: Path, folders: str, kind: type[GleitzeitError]) -> None:
    error = refusal(root, code="1", env={"PYTHONPATH": folders.replace(":", os.pathsep)})
    assert isinstance(error, kind)
    assert error.message.startswith("env: PYTHONPATH: ")


@pytest.mark.parametrize("name", ["LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONINSPECT", "PYTHONHOME", "pythonstartup"])
def test_variables_that_change_the_interpreter_are_refused_by_name(root: Path, name: str) -> None:
    assert f'"{name}"' in refusal(root, code="1", env={name: "1"}).message


@pytest.mark.parametrize(("name", "value"), [("A=B", "1"), ("", "1"), ("1A", "1"), ("A\0", "1"), ("A", "x\0y")])
def test_variables_that_are_none_are_refused(root: Path, name: str, value: str) -> None:
    assert isinstance(refusal(root, code="1", env={name: value}), ValidationError)


@pytest.mark.parametrize("timeout", [0, -1, 1e9, float("nan"), float("inf"), True])
def test_an_absurd_timeout_is_refused(root: Path, timeout: Any) -> None:
    assert refusal(root, code="1", timeout=timeout).message.startswith("timeout: ")


@pytest.mark.parametrize("memory", [0, -1, "1", "many", "-5M", "1000T", True, "1G"])
def test_an_absurd_size_is_refused(root: Path, memory: Any) -> None:
    assert refusal(root, code="1", max_memory=memory).message.startswith("max_memory: ")


@pytest.mark.parametrize("pattern", ["/etc/*", "../*", "a/../../b", "a\nb"])
def test_artifacts_stay_in_their_folder(root: Path, pattern: str) -> None:
    assert isinstance(refusal(root, code="1", artifacts=[pattern]), ForbiddenError)


def test_too_much_is_refused(root: Path) -> None:
    (root / "large.py").write_bytes(b"#" * (10 << 20))
    assert isinstance(refusal(root, code="#" * (10 << 20)), LimitError)
    assert isinstance(refusal(root, script="large.py"), LimitError)
    assert isinstance(refusal(root, code="1", args="x" * (5 << 20)), LimitError)
    assert isinstance(refusal(root, code="1", env={"A": "x" * (200 << 10)}), LimitError)


def test_arguments_that_json_cannot_hold_are_refused(root: Path) -> None:
    deep: Any = None
    for _ in range(100_000):
        deep = [deep]
    for args in ({1, 2}, float("nan"), object(), deep, b"bytes"):
        assert refusal(root, code="1", args=args).message.startswith("args: not JSON")
    while deep:
        deep = deep[0]


def test_either_a_script_or_code(root: Path) -> None:
    assert "both are there" in refusal(root, code="1", script="fine.py").message
    assert "neither is there" in refusal(root).message


def test_a_script_that_is_no_text_is_refused(root: Path) -> None:
    (root / "binary.py").write_bytes(b"\xff\xfe\x00")
    assert 'script: "binary.py" is no text' in refusal(root, script="binary.py").message


def test_a_request_that_is_well(root: Path) -> None:
    parameters = {"script": "fine.py", "files": ["data.csv"], "env": {"A": 1, "B": True, "PYTHONPATH": "sub"}}
    job = job_of({**parameters, "max_memory": "32M", "artifacts": ["*.png"]}, PythonSettings(), (root,))
    assert (job.code, job.filename, job.mode) == ("print(1)", "fine.py", "script")
    assert job.env == {"A": "1", "B": "true"}
    assert job.files == {"data.csv": root / "data.csv"}
    assert job.python_path == (root / "sub",)
    assert job.limits.memory == 32 << 20
