"""One text and one digest for equal data."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.digest import canonical_text, digest

DATA = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [1, 2.5, "ä"], "a": {"y": None, "x": True}}, '{"a":{"x":true,"y":null},"b":[1,2.5,"\\u00e4"]}'),
        ([1.0, -0.0, 1e16, 2.5e-7, {"n": (3.0,)}], '[1,0,10000000000000000,2.5e-07,{"n":[3]}]'),
        ("1.0 e+ stays text", '"1.0 e+ stays text"'),
        (MappingProxyType({"a": MappingProxyType({"b": 2.0})}), '{"a":{"b":2}}'),
    ],
)
def test_the_text_is_compact_and_sorted_and_writes_whole_floats_as_integers(value: Any, text: str) -> None:
    assert canonical_text(value) == text


@given(DATA)
def test_the_text_is_the_same_after_a_way_through_json_and_in_any_order_of_keys(value: Any) -> None:
    again = json.loads(json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs)))
    assert canonical_text(again) == canonical_text(value)
    assert json.loads(canonical_text(value)) == value


@pytest.mark.parametrize("value", [float("nan"), [float("inf")], {"a": {1, 2}}, object()])
def test_what_is_not_json_data_has_no_text(value: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        canonical_text(value)


def test_a_digest_tells_parts_apart_by_value_and_place() -> None:
    digests = [
        digest("a", {"n": 1}),
        digest("a", {"n": "1"}),
        digest("a", {"n": True}),
        digest({"n": 1}, "a"),
        digest("a"),
    ]
    assert len({*digests}) == len(digests)
    assert all(len(one) == 32 for one in digests)
    assert digest("a", {"n": 1, "m": 2}) == digest("a", {"m": 2.0, "n": 1})
