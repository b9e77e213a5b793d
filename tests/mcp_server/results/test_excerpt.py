from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.mcp_server.rendering.answer import compact, plain, size
from gleitzeit.mcp_server.rendering.excerpt import Cut, excerpt
from gleitzeit.mcp_server.rendering.places import parse_place, value_at

TEXTS: st.SearchStrategy[str] = st.builds(str.__mul__, st.text(max_size=5), st.integers(1, 100))
JSON: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(10**6), 10**6), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=6), st.dictionaries(TEXTS, inner, max_size=6)),
    max_leaves=12,
)


def test_what_fits_is_shown_as_it_is() -> None:
    value = {"a": [1, 2, {"b": None}], "c": "text"}
    shown = excerpt(value, 1_000)
    assert (shown.value, shown.cuts) == (value, [])


def test_structure_is_kept_and_every_cut_says_how_much_there_is() -> None:
    value = {"pages": [{"title": f"p{n}", "text": "x" * 5_000} for n in range(100)], "total": 100}
    shown = excerpt(value, 4_000)
    assert list(shown.value) == ["pages", "total"]
    assert shown.value["total"] == 100
    assert shown.value["pages"][0]["title"] == "p0"
    assert shown.value["pages"][0]["text"].endswith("… (5000 characters)")
    assert shown.value["pages"][-1] == f"… {101 - len(shown.value['pages'])} more of 100 items"
    assert shown.cuts[0] == Cut("pages[0].text", "5000 characters")


def test_what_is_too_deep_is_shown_by_its_size() -> None:
    value: Any = ["x"]
    for _ in range(20):
        value = {"in": value}
    assert "… 1 field" in compact(excerpt(value, 4_000).value)


def test_many_fields_leave_some_of_them() -> None:
    shown = excerpt({f"field{n}": n for n in range(10_000)}, 2_000).value
    assert shown["field0"] == 0
    assert shown["…"].endswith("of 10000 fields")


@given(JSON, st.integers(100, 4_000))
def test_an_excerpt_keeps_to_its_budget_and_its_cuts_are_places(value: Any, budget: int) -> None:
    shown = excerpt(value, budget)
    assert size(compact(shown.value)) <= budget + 200
    json.dumps(plain(shown.value), allow_nan=False)
    for cut in shown.cuts:
        value_at(value, parse_place(cut.path), "x")
