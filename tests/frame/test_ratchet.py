"""Sizes only go down: a second screen means a second noun."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
MOST_LINES_IN_A_FILE = 400
MOST_LINES_IN_A_FUNCTION = 50


def sources(*roots: Path) -> Iterator[Path]:
    for root in roots:
        yield from sorted(root.rglob("*.py"))


def oversized_files(*roots: Path) -> list[str]:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in sources(*roots)}
    return [f"{path}: {size} lines" for path, size in sizes.items() if size > MOST_LINES_IN_A_FILE]


def oversized_functions(*roots: Path) -> list[str]:
    found: list[str] = []
    for path in sources(*roots):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                size = node.end_lineno - node.lineno + 1
                if size > MOST_LINES_IN_A_FUNCTION:
                    found.append(f"{path}:{node.lineno}: {node.name} has {size} lines")
    return found


def test_no_source_file_is_over_its_limit() -> None:
    assert oversized_files(ROOT / "server", ROOT / "providers") == []


def test_no_function_is_over_its_limit() -> None:
    assert oversized_functions(ROOT / "server", ROOT / "providers") == []


def test_both_source_roots_are_looked_at() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in sources(ROOT / "server", ROOT / "providers")} == {
        "server",
        "providers",
    }


def test_a_file_one_line_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "fits.py").write_text("pass\n" * MOST_LINES_IN_A_FILE, encoding="utf-8")
    (tmp_path / "long.py").write_text("pass\n" * (MOST_LINES_IN_A_FILE + 1), encoding="utf-8")
    assert oversized_files(tmp_path) == [f"{tmp_path / 'long.py'}: {MOST_LINES_IN_A_FILE + 1} lines"]


def test_a_function_one_line_too_long_is_found_even_inside_a_class(tmp_path: Path) -> None:
    fits = "async def fits():\n" + "    pass\n" * (MOST_LINES_IN_A_FUNCTION - 1)
    long = "class Room:\n    async def long(self):\n" + "        pass\n" * MOST_LINES_IN_A_FUNCTION
    (tmp_path / "room.py").write_text(fits + long, encoding="utf-8")
    found = oversized_functions(tmp_path)
    assert [line.rsplit(": ", 1)[1] for line in found] == [f"long has {MOST_LINES_IN_A_FUNCTION + 1} lines"]
