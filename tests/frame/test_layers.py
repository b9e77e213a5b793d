"""Each import contract of pyproject.toml is kept, and each would notice being broken."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

# contract -> (the file that breaks it, the import that does)
BREACHES = {
    "layers": ("server/gleitzeit/store/base.py", "import gleitzeit.client"),
    "core": ("server/gleitzeit/core/graph.py", "import httpx2"),
    "server": ("server/gleitzeit/registry/roster.py", "import gleitzeit_ollama"),
    "plugs": ("providers/gleitzeit_mcp/__init__.py", "import gleitzeit.registry"),
    "face": ("server/gleitzeit/mcp_server/rendering/answer.py", "import gleitzeit.mcp_server.tools.runs"),
    "hub": ("providers/gleitzeit_mcp/config.py", "import gleitzeit_mcp.hub"),
    "python": ("providers/gleitzeit_python/config.py", "import gleitzeit_python.provider"),
    "ollama": ("providers/gleitzeit_ollama/settings.py", "import gleitzeit_ollama.pool.hub"),
    "inside": ("providers/gleitzeit_python/worker/limits.py", "import anyio"),
    "strangers": ("providers/gleitzeit_mcp/__init__.py", "import gleitzeit_ollama"),
}


def contracts() -> list[dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = settings["tool"]["importlinter"]["contracts"]
    return found


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tree / "server"), str(tree / "providers")])}
    return subprocess.run(
        [sys.executable, "-c", program, "--no-cache", "--no-logo"],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )


def copy_of_the_house(target: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    for folder in ("server", "providers"):
        shutil.copytree(ROOT / folder, target / folder, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def test_every_contract_has_a_breach_to_try_it() -> None:
    assert {contract["id"] for contract in contracts()} == set(BREACHES)


def test_the_house_keeps_every_contract() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert f"Contracts: {len(BREACHES)} kept, 0 broken" in outcome.stdout


@pytest.mark.parametrize("contract", BREACHES)
def test_a_contract_notices_being_broken(contract: str, tmp_path: Path) -> None:
    tree = copy_of_the_house(tmp_path)
    file, statement = BREACHES[contract]
    with (tree / file).open("a", encoding="utf-8") as source:
        source.write(f"\n{statement}\n")
    name = next(entry["name"] for entry in contracts() if entry["id"] == contract)
    outcome = lint_imports(tree)
    assert outcome.returncode == 1, outcome.stdout + outcome.stderr
    assert f"{name} BROKEN" in outcome.stdout


def test_a_new_room_has_to_find_its_layer(tmp_path: Path) -> None:
    tree = copy_of_the_house(tmp_path)
    (tree / "server" / "gleitzeit" / "attic.py").write_text("", encoding="utf-8")
    outcome = lint_imports(tree)
    assert outcome.returncode == 1
    assert "gleitzeit.attic" in outcome.stdout
