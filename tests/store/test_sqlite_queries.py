"""The queries of the database: all there, all used, and none that reads whole tables where many runs are over."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gleitzeit.store.sqlite import queries
from gleitzeit.store.sqlite.database import open_database
from gleitzeit.store.sqlite.queries import QUERIES, parse

FOLDER = Path(queries.__file__).parent


NAMES: list[str] = [
    "before",
    "caller",
    "state",
    "name",
    "limit",
    "parent_id",
    "after",
    "living",
    "keep",
    "run",
    "outputs",
    "failure",
    "roots",
    "inputs",
    "workflow",
]


@pytest.fixture
def plan(tmp_path: Path) -> Iterator[dict[str, str]]:
    with closing(open_database(tmp_path / "gleitzeit.db", "full")) as connection:
        plans: dict[str, str] = {}
        for name, query in QUERIES.items():
            explained = f"explain query plan {query}"
            if ":" in query:
                rows = connection.execute(explained, dict.fromkeys(NAMES))
            else:
                rows = connection.execute(explained, (None,) * query.count("?"))
            plans[name] = "\n".join(row[3] for row in rows)
        yield plans


def test_every_query_says_why_and_is_used() -> None:
    text = (FOLDER / "queries.sql").read_text(encoding="utf-8")
    assert text.count("-- name: ") == len(QUERIES)
    code = "".join(file.read_text(encoding="utf-8") for file in FOLDER.glob("*.py"))
    assert [name for name in QUERIES if f'"{name}"' not in code] == []


def test_a_query_without_a_reason_is_not_read() -> None:
    assert parse("-- name: one\n-- Why.\nselect 1;\n\n-- name: two\nselect 2;\n") == {"one": "select 1"}


@pytest.mark.parametrize(
    "name",
    [
        "select_owned",
        "select_orphans",
        "select_requests",
        "select_family",
        "select_old",
        "select_events",
        "select_cached",
        "release_all",
        "delete_owner",
        "advance",
    ],
)
def test_what_is_asked_often_reads_no_more_than_it_needs(plan: dict[str, str], name: str) -> None:
    steps = [step for step in plan[name].splitlines() if step.startswith("SCAN") and "INDEX" not in step]
    assert [step for step in steps if step not in ("SCAN request", "SCAN json_each VIRTUAL TABLE INDEX 1:")] == []


def test_children_are_found_by_their_parent(plan: dict[str, str]) -> None:
    assert "USING INDEX run_parent" in plan["list_children"]
