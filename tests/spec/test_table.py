"""No block of the document is left out, and none is something else than the table says."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


def test_the_document_is_the_users_own(digest: str) -> None:
    assert hashlib.sha256((HERE / "providers.md").read_bytes()).hexdigest() == digest


def test_every_block_of_the_document_stands_in_the_table(document_blocks: Mapping[int, str], table: list[Any]) -> None:
    in_document = [(index, text.splitlines()[0]) for index, text in document_blocks.items()]
    assert [(entry.block, entry.first_line) for entry in table] == in_document


def test_every_row_says_what_its_use_asks_for(table: list[Any]) -> None:
    for entry in table:
        assert not entry.unknown, f"block {entry.block}: {entry.unknown}"
        assert entry.use in {"run", "validate", "fragment", "illustration"}, f"block {entry.block}"
        assert (entry.prelude is not None) == (entry.use == "fragment"), f"block {entry.block}: prelude"
        assert (entry.reason is not None) == (entry.use == "illustration"), f"block {entry.block}: reason"


def test_every_row_names_tests_that_exist(table: list[Any]) -> None:
    for entry in table:
        assert entry.tests, f"block {entry.block}"
        for test in entry.tests:
            file, name = test.split("::")
            tree = ast.parse((HERE / file).read_text(encoding="utf-8"))
            functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in functions, f"block {entry.block}: {test}"
