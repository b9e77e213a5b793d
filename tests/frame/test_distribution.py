"""What is built holds what users need, and nothing else."""

from __future__ import annotations

import configparser
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(kind: str, source: Path, target: Path) -> Path:
    """Build one archive, with the build backend that is installed here."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=50)
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (root,) = folder.iterdir()
    return root


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    return zipfile.ZipFile(build("wheel", unpacked, tmp_path_factory.mktemp("wheel")))


def test_the_source_archive_can_be_built_and_tested(unpacked: Path) -> None:
    needed = ["pyproject.toml", "README.md", "LICENSE", "Makefile", "uv.lock", "claude_config_example.json"]
    assert [name for name in needed if not (unpacked / name).is_file()] == []
    assert (unpacked / "tests" / "spec" / "providers.md").is_file()


def test_the_source_archive_holds_nothing_that_was_installed(unpacked: Path) -> None:
    unwanted = {"node_modules", ".venv", "__pycache__", ".git"}
    assert [path for path in unpacked.rglob("*") if path.name in unwanted] == []


def test_the_wheel_holds_the_packages_and_says_that_they_are_typed(wheel: zipfile.ZipFile) -> None:
    names = set(wheel.namelist())
    packages = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert packages == {"gleitzeit", "gleitzeit_mcp", "gleitzeit_ollama", "gleitzeit_python", "gleitzeit_sandbox"}
    assert {f"{package}/py.typed" for package in packages} <= names


def test_the_wheel_holds_everything_that_stands_in_the_source_roots(wheel: zipfile.ZipFile) -> None:
    stands = {
        path.relative_to(ROOT / root).as_posix()
        for root in ("server", "providers")
        for path in (ROOT / root).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".md"
    }
    assert {name for name in wheel.namelist() if ".dist-info" not in name} == stands
    assert any(name.startswith("gleitzeit/cli/demo/") and name.endswith(".yaml") for name in stands)


def test_the_wheel_brings_the_commands_the_providers_and_the_license(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    (entry_points,) = [name for name in names if name.endswith("entry_points.txt")]
    assert any(name.endswith("licenses/LICENSE") for name in names)
    parser = configparser.ConfigParser()
    parser.read_string(wheel.read(entry_points).decode("utf-8"))
    assert set(parser["console_scripts"]) == {"gleitzeit", "gleitzeit-mcp"}
    assert {"mcp", "ollama", "python"} <= set(parser["gleitzeit.providers"])
