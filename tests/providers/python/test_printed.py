"""What was printed, as data."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.errors import LimitError, ProviderError
from gleitzeit_python.results.literals import NotLiteralError, literal
from gleitzeit_python.results.printed import printed_value

texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_a_literal_is_what_was_printed(value: Any) -> None:
    assert literal(repr(value)) == value


@given(st.text("[](){}',:\"\\abTrue1.-+ n", max_size=60))
def test_any_text_is_a_literal_or_none(text: str) -> None:
    try:
        literal(text)
    except NotLiteralError:
        return


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ('{"a": 1}\n', {"a": 1}),
        ("{'result': 150}", {"result": 150}),
        ("(1, 2)", [1, 2]),
        ("(1)", 1),
        ("{1, 2}", [1, 2]),
        ("{1: 'a', None: 'b'}", {"1": "a", "null": "b"}),
        ("True", True),
        ("3.5", 3.5),
        ("Hello", "Hello"),
        ("[INFO] begin", "[INFO] begin"),
        ("{'a': set()}", "{'a': set()}"),
        ("__import__('os')", "__import__('os')"),
        ("-" * 100_000 + "1", "-" * 100_000 + "1"),
        ("NaN", "NaN"),
    ],
)
def test_text_is_data_where_it_can_be(text: str, value: Any) -> None:
    assert printed_value(text) == value


@pytest.mark.parametrize("text", ['{"a": NaN}', "[Infinity]", '{"a": ' + "9" * 500 + "}", '{"a": 1e999}'])
def test_json_with_what_json_has_not_is_an_error(text: str) -> None:
    with pytest.raises(ProviderError, match="what it printed is no JSON"):
        printed_value(text)


def test_json_that_is_nested_too_deeply_is_an_error() -> None:
    with pytest.raises(LimitError, match="nested too deeply"):
        printed_value("[" * 100_000)
