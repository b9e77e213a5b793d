from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.mcp_server.rendering.answer import compact, size
from gleitzeit.mcp_server.tools.slices import slice_of

TEXTS: st.SearchStrategy[str] = st.builds(str.__mul__, st.text(max_size=5), st.integers(1, 500))


@pytest.mark.parametrize(
    ("value", "offset", "limit", "part", "following"),
    [
        ("abcdef", 1, 2, "bc", 3),
        ("abcdef", 4, None, "ef", None),
        ("äöü", 0, 2, "äö", 2),
        ([1, 2, 3], 1, 1, [2], 2),
        ([1, 2, 3], 3, None, [], None),
        ({"a": 1, "b": 2, "c": 3}, 1, None, {"b": 2, "c": 3}, None),
        ({"a": 1, "b": 2}, 0, 1, {"a": 1}, 1),
        (7, 5, 1, 7, None),
        (None, 0, None, None, None),
        ("", 0, None, "", None),
        ([], 10**30, 10**30, [], None),
    ],
)
def test_a_slice_is_what_was_asked_for(
    value: Any, offset: int, limit: int | None, part: Any, following: int | None
) -> None:
    found = slice_of(value, offset, limit, 1_000)
    assert (found.value, found.next_offset) == (part, following)


def test_an_item_that_is_too_large_is_cut_and_does_not_stop_who_reads_on() -> None:
    value = [{"text": "x" * 9_000}, {"text": "y"}]
    first = slice_of(value, 0, None, 1_000, ("pages",))
    assert first.value[0]["text"].endswith("… (9000 characters)")
    assert first.cuts[0].path == "pages[0].text"
    assert first.next_offset == 1
    assert slice_of(value, 1, None, 1_000, ("pages",)).value == [{"text": "y"}]


@given(
    st.one_of(TEXTS, st.lists(TEXTS, max_size=10)),
    st.integers(200, 1_000),
    st.one_of(st.none(), st.integers(1, 50)),
)
def test_slices_put_together_are_the_whole(value: Any, room: int, limit: int | None) -> None:
    parts: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        part = slice_of(value, offset, limit, room)
        assert size(compact(part.value)) <= room + 200
        assert not part.cuts or size(compact([offset, value[offset]])) > room  # an item counts with its position
        parts.append(value[offset : part.next_offset] if part.cuts else part.value)
        offset = part.next_offset
    assert (("".join(parts)) if isinstance(value, str) else [item for part in parts for item in part]) == value
