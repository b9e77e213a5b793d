"""The files around the sources agree with each other, and know nothing of the machine they were written on."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

FOLDERS = ("server", "providers", "tests", "benchmarks", "docs", "examples", ".ci")
IMPORTED_BY_CODE = {"gleitzeit_sandbox"}
"""Beside the providers: what the code that one of them runs can import."""

LEFT_BY_TOOLS = {"__pycache__", "node_modules", ".pytest_cache", ".hypothesis"}
# The brackets keep this file from finding itself.
MACHINE_PATHS = re.compile(r"/[w]ork/|/[r]oot/|/[o]pt/pypi|/[t]mp/w/")


def texts() -> Iterator[tuple[Path, str]]:
    """All text files of the project."""
    for path in files():
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            yield path, content.decode("utf-8", errors="replace")


def files() -> Iterator[Path]:
    yield from (path for path in ROOT.iterdir() if path.is_file())
    for folder in FOLDERS:
        for place, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name not in LEFT_BY_TOOLS]
            yield from (Path(place, name) for name in names)


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def version() -> str:
    found = re.search(r'__version__ = "(.+)"', (ROOT / "server/gleitzeit/version.py").read_text(encoding="utf-8"))
    assert found is not None
    return found[1]


def test_no_file_names_a_place_on_the_machine_it_was_written_on() -> None:
    found = [f"{path.relative_to(ROOT)}: {hit[0]}" for path, text in texts() if (hit := MACHINE_PATHS.search(text))]
    assert found == []


def test_the_lock_file_names_the_public_index_alone() -> None:
    hosts = set(re.findall(r"https?://([^/\"]+)", (ROOT / "uv.lock").read_text(encoding="utf-8")))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_the_npm_lock_file_names_no_other_registry() -> None:
    lock = json.loads((ROOT / "tests/servers/package-lock.json").read_text(encoding="utf-8"))
    sources = {package.get("resolved", "") for package in lock["packages"].values()}
    assert {source for source in sources if source and not source.startswith("https://registry.npmjs.org/")} == set()


def test_every_target_of_the_readme_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {
        target
        for name in ("README.md", "CONTRIBUTING.md", "docs/architecture.md")
        for target in re.findall(r"(?:\$ |`)make ([a-z]+)", (ROOT / name).read_text(encoding="utf-8"))
    }
    assert {"demo", "test"} <= named
    assert named <= targets


def test_the_makefile_explains_every_target_that_is_meant_to_be_called() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    explained = set(re.findall(r"^([a-z]+):.*## \S", makefile, re.MULTILINE))
    assert explained >= {"help", "demo", "test", "check", "bench"}


def test_every_link_of_the_documents_leads_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    broken = [
        f"{document.name}: {link}"
        for document in documents
        for link in re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
        if not (document.parent / link).exists()
    ]
    assert broken == []


def test_the_example_for_hosts_is_what_the_readme_shows() -> None:
    example = json.loads((ROOT / "claude_config_example.json").read_text(encoding="utf-8"))
    assert example == {
        "mcpServers": {
            "gleitzeit": {
                "command": "uvx",
                "args": ["--from", "/ABSOLUTE/PATH/TO/gleitzeit", "gleitzeit-mcp"],
                "env": {},
            }
        }
    }
    shown = re.search(r"```json\n(.+?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    assert json.loads(shown[1]) == example


def test_the_registry_entry_agrees_with_the_package() -> None:
    entry = json.loads((ROOT / "server.json").read_text(encoding="utf-8"))
    package = entry["packages"][0]
    assert entry["version"] == package["version"] == version()
    assert package["identifier"] == project()["project"]["name"]
    assert len(entry["description"]) <= 100
    assert f"<!-- mcp-name: {entry['name']} -->" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_fits_on_a_screen_or_two() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120


@pytest.mark.parametrize("root", ["server", "providers"])
def test_every_package_says_that_it_is_typed(root: str) -> None:
    packages = [path for path in (ROOT / root).iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert packages
    assert [package.name for package in packages if not (package / "py.typed").exists()] == []


def test_every_provider_folder_is_an_entry_point_and_in_the_contracts() -> None:
    folders = {path.name for path in (ROOT / "providers").iterdir() if path.is_dir()} - {"__pycache__"}
    entry_points = project()["project"]["entry-points"]["gleitzeit.providers"].values()
    contracts = {contract["id"]: contract for contract in project()["tool"]["importlinter"]["contracts"]}
    providers = folders - IMPORTED_BY_CODE
    assert {target.split(":")[0] for target in entry_points} == providers
    assert set(contracts["server"]["forbidden_modules"]) == folders
    assert set(contracts["plugs"]["source_modules"]) == folders
    assert set(contracts["strangers"]["modules"]) == providers
    assert set(project()["tool"]["importlinter"]["root_packages"]) == folders | {"gleitzeit"}
