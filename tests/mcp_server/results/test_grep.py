from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.errors import ValidationError
from gleitzeit.mcp_server.tools.grep import grep


def found(value: Any, pattern: str, offset: int = 0, limit: int = 100) -> list[Any]:
    return grep(value, pattern, offset, limit).matches


def test_lines_of_a_text_are_found_with_where_they_begin() -> None:
    text = "low tide\r\nhigh tide\nslack\n"
    assert found(text, "tide$") == [{"offset": 0, "text": "low tide"}, {"offset": 10, "text": "high tide"}]
    assert text[10:].startswith("high")


def test_leaves_of_a_structure_are_found_by_their_place_and_their_value() -> None:
    value = {"items": [{"name": "Ann", "age": 41}, {"name": "Bo", "age": 7}], "empty": []}
    assert found(value, r"^items\[1\]") == [
        {"path": "items[1].name", "offset": 0, "text": "Bo"},
        {"path": "items[1].age", "text": "7"},
    ]
    assert found(value, "age: 41") == [{"path": "items[0].age", "text": "41"}]
    assert found(value, "(?i)ANN") == [{"path": "items[0].name", "offset": 0, "text": "Ann"}]
    assert found(value, r"^empty: \[\]$") == [{"path": "empty", "text": "[]"}]


def test_matches_are_counted_and_paged() -> None:
    text = "\n".join(f"line {number}" for number in range(1_000))
    search = grep(text, "7$", 10, 5)
    assert search.total == 100
    assert [match["text"] for match in search.matches] == [f"line {n}7" for n in range(10, 15)]


def test_a_long_line_is_found_in_pieces_once_each() -> None:
    text = "x" * 5_000 + "needle" + "x" * 5_000
    matches = found(text, "needle")
    assert len(matches) == 1
    assert "needle" in matches[0]["text"]
    assert text[matches[0]["offset"] :].startswith(matches[0]["text"])


@given(st.integers(0, 4_000))
def test_nothing_is_lost_between_two_pieces(position: int) -> None:
    assert len(found("x" * position + "needle" + "x" * 3_000, "needle")) == 1


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(?=x)", "exponential time"),
        (r"(a)\1", "exponential time"),
        ("(", "is no regular expression"),
        ("a" * 2_000, "too long, or repeats too much"),
        ("(a{1000}){1000}", "too long, or repeats too much"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(pattern: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        grep("text", pattern, 0, 1)


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", r"(\w+\s?)+$", "a?" * 50 + "a" * 50])
def test_patterns_that_are_known_to_explode_end_soon(pattern: str) -> None:
    began = time.process_time()
    grep(["a" * 50_000 + "!"] * 40, pattern, 0, 10)
    assert time.process_time() - began < 10


def test_a_search_that_takes_too_long_says_that_it_was_cut_short() -> None:
    search = grep(["a" * 50_000] * 400, "1[01]{300}0$", 0, 10)
    assert search.cut_short
