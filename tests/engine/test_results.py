"""What providers return, as JSON data."""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import json
import math
import pathlib
import types
import uuid
from typing import Any, NamedTuple

import pytest
from pydantic import BaseModel

from gleitzeit.core.errors import LimitError, ProviderError
from gleitzeit.engine.local.results import copied, measured, recorded


class Model(BaseModel):
    n: int
    when: dt.date


@dataclasses.dataclass
class Inner:
    x: float


@dataclasses.dataclass
class Outer:
    inner: Inner


class Pair(NamedTuple):
    left: int
    right: str


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


class Array:
    def tolist(self) -> list[list[float]]:
        return [[1.0, math.nan]]


class Text(str):
    __slots__ = ()


FORMS: list[Any] = [
    ((1, (2,)), [1, [2]]),
    ({3, 1, 2}, [1, 2, 3]),
    (frozenset({"b", "a"}), ["a", "b"]),
    (collections.deque([1]), [1]),
    (collections.OrderedDict(a=1), {"a": 1}),
    (types.MappingProxyType({"a": (1,)}), {"a": [1]}),
    (Pair(1, "r"), {"left": 1, "right": "r"}),
    (Outer(Inner(1.5)), {"inner": {"x": 1.5}}),
    (Model(n=1, when=dt.date(2026, 1, 2)), {"n": 1, "when": "2026-01-02"}),
    (Colour.RED, "red"),
    (Level.HIGH, 3),
    (Text("t"), "t"),
    (dt.datetime(2026, 1, 2, 3, 4, tzinfo=dt.UTC), "2026-01-02T03:04:00+00:00"),
    (dt.timedelta(minutes=1), 60.0),
    (decimal.Decimal("1.10"), "1.10"),
    (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (pathlib.PurePosixPath("/a/b"), "/a/b"),
    (b"text", "text"),
    ([math.nan, math.inf, -math.inf, 1.0], [None, None, None, 1.0]),
    (Array(), [[1.0, None]]),
    ({1: "a", 2.5: "b"}, {"1": "a", "2.5": "b"}),
    ({Colour.RED: 1, False: 2}, {"red": 1, "false": 2}),
    pytest.param("half \ud800 pair", "half ? pair", id="half a surrogate pair"),
    ("grüße", "grüße"),
]


@pytest.mark.parametrize(("value", "data"), FORMS)
def test_what_has_an_obvious_form_as_data_takes_it(value: Any, data: Any) -> None:
    result, _ = measured(value)
    assert result == data
    assert type(result) in (dict, list, str, int, float, bool, type(None))
    json.dumps(result, allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (object(), "type object"),
        (lambda: None, "type function"),
        (iter([1]), "iterator"),
        (b"\xff\xfe", "not text"),
        ({(1, 2): 3}, "key of type tuple"),
        ({1: "a", "1": "b"}, "two keys"),
        pytest.param(10**5000, "4,000 digits", id="a huge integer"),
        (Inner, "type type"),
    ],
)
def test_what_has_none_is_refused_in_plain_words_and_not_tried_again(value: Any, words: str) -> None:
    with pytest.raises(ProviderError, match=words) as raised:
        recorded({"x": value})
    assert not raised.value.retryable


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ProviderError, match="contains itself"):
        recorded(value)


def test_the_limit_is_on_about_the_length_of_the_json_text() -> None:
    value = {"rows": [{"id": n, "name": f"name {n}", "ok": True} for n in range(1_000)]}
    _, size = measured(value)
    length = len(json.dumps(value))
    assert length / 2 < size < length * 2
    recorded(value, size)
    with pytest.raises(LimitError, match="result_bytes"):
        recorded(value, size - 1)


def test_a_flood_is_refused_before_all_of_it_is_copied() -> None:
    with pytest.raises(LimitError):
        recorded({"x": ["y" * 1_000] * 10_000_000}, 10_000)


def test_a_copy_shares_nothing_that_could_be_changed() -> None:
    data = {"a": [{"b": [1]}]}
    copy = copied(data)
    copy["a"][0]["b"].append(2)
    copy["c"] = 1
    assert data == {"a": [{"b": [1]}]}
