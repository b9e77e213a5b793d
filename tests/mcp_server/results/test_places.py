from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.errors import NotFoundError, ValidationError
from gleitzeit.mcp_server.rendering.places import parse_place, place_text, value_at

KEYS = st.lists(st.one_of(st.text(max_size=20), st.integers(0, 10_000)), max_size=6)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("", ()),
        ("$", ()),
        ("items[0].name", ("items", 0, "name")),
        ("$.items[0]", ("items", 0)),
        ("[-1]", (-1,)),
        ("items.0.name", ("items", "0", "name")),
        ('headers["content-type"]', ("headers", "content-type")),
        ("headers['content-type'].x", ("headers", "content-type", "x")),
        ("headers.content-type", ("headers", "content-type")),
        ('["a \\"b\\""]', ('a "b"',)),
        ("größe.€", ("größe", "€")),
        (" a ", ("a",)),
    ],
)
def test_a_place_is_read_as_people_write_it(text: str, keys: tuple[str | int, ...]) -> None:
    assert parse_place(text) == keys


@pytest.mark.parametrize(
    "text", ["a]", "a[", "a[x]", "a..b", "a.", ".", "a[0]b", '["a', '["\\x"]', "a[1e9]", "a" * 5_000]
)
def test_what_is_no_place_says_where_it_breaks(text: str) -> None:
    with pytest.raises(ValidationError) as raised:
        parse_place(text)
    assert raised.value.hint is not None


@given(KEYS)
def test_every_place_can_be_written_and_read(keys: list[str | int]) -> None:
    assert parse_place(place_text(keys)) == tuple(keys)


VALUE = {"items": [{"name": "Ann"}, {"name": "Bo"}], "0": "zero"}


def test_a_place_is_found() -> None:
    assert value_at(VALUE, parse_place("items[1].name"), "x") == "Bo"
    assert value_at(VALUE, parse_place("items.1.name"), "x") == "Bo"
    assert value_at(VALUE, parse_place("items[-1].name"), "x") == "Bo"
    assert value_at(VALUE, parse_place("[0]"), "x") == "zero"
    assert value_at(VALUE, (), "x") is VALUE


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("itms", 'outputs has no field "itms"; there are "items", "0"', 'did you mean "items"?'),
        ("items[2]", 'items is a list of 2 and has no "2"', "the first is [0], the last [1]"),
        ("items.name", 'items is a list of 2 and has no "name"', "the first is [0], the last [1]"),
        ("items[0].name.first", "items[0].name is text and has no fields", "read items[0].name itself"),
    ],
)
def test_what_is_missing_is_said_with_what_there_is(path: str, message: str, hint: str) -> None:
    with pytest.raises(NotFoundError) as raised:
        value_at(VALUE, parse_place(path), "outputs")
    assert (raised.value.message, raised.value.hint) == (message, hint)
