"""docs/architecture.md names every room that there is, and none that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOUSES = {
    "Inside the MCP face": "server/gleitzeit/mcp_server",
    "Inside the local engine": "server/gleitzeit/engine/local",
    "Inside the hub": "providers/gleitzeit_mcp",
    "Inside the pool": "providers/gleitzeit_ollama",
    "Inside the sandbox": "providers/gleitzeit_python",
}


def rooms_in(folder: Path) -> set[str]:
    inside = (path for path in folder.iterdir() if path.suffix == ".py" or any(path.glob("*.py")))
    return {path.stem for path in inside} - {"__init__"}


def rooms_told(title: str) -> set[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = text.partition(f"## {title}\n")[2].partition("\n## ")[0]
    first = (line.split("|")[1] for line in section.splitlines() if line.startswith("| `"))
    return {name.rstrip("/") for cell in first for name in re.findall(r"`([^`]+)`", cell)}


@pytest.mark.parametrize(("title", "house"), HOUSES.items())
def test_the_rooms_of_a_house_are_those_that_its_table_tells(title: str, house: str) -> None:
    assert rooms_told(title) == rooms_in(ROOT / house)


def test_a_room_that_no_table_tells_is_found(tmp_path: Path) -> None:
    (tmp_path / "attic.py").touch()
    (tmp_path / "cellar").mkdir()
    (tmp_path / "cellar" / "wine.py").touch()
    (tmp_path / "__pycache__").mkdir()
    assert rooms_in(tmp_path) == {"attic", "cellar"}
