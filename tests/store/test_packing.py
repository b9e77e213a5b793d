"""JSON data as a column holds it: large data is cut into pieces and put together again, small data is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gleitzeit.store.sqlite.packing import LARGE, PIECE, pack, unpack

LONG = PIECE * 2 + 1

VALUES: dict[str, Any] = {
    "small": {"a": [1, 2.5, None, True, "ü"], "b": {}, "c": []},
    "list": list(range(LONG)),
    "list in an object": {"a": 1, "rows": list(range(LONG)), "z": {"é": [0.5] * LONG}},
    "matrix": [[0.25] * 1_000 for _ in range(101)],
    "rows": [{"name": f"n{number}", "deep": [number]} for number in range(LONG)],
    "uneven": [1, *([2] * LONG for _ in range(3)), {}],
    "exactly one piece": [1] * PIECE,
    "one more than a piece": [1] * (PIECE + 1),
    "text": "x" * LARGE,
    "half a pair": {"a": ["\ud83d"] * LONG},
    "keys": {"": [], '"': [1], "a\nb": {"c": []}},
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_what_is_unpacked_is_what_was_packed(value: Any) -> None:
    assert unpack(pack(value)) == value


@pytest.mark.parametrize("name", ["list", "list in an object", "uneven", "keys"])
def test_pieces_make_the_same_text_as_the_whole(name: str) -> None:
    packed = pack(VALUES[name])
    assert packed == json.dumps(VALUES[name], ensure_ascii=False, separators=(",", ":"))


def test_a_key_that_is_no_text_is_written_as_in_any_json() -> None:
    assert pack({None: [], True: [], 2: []}) == '{"null":[],"true":[],"2":[]}'


@pytest.mark.parametrize("value", [{"a": [{1, 2}]}, {(1, 2): [1]}, [1] * LONG + [object()]])
def test_what_is_not_json_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        pack(value)
