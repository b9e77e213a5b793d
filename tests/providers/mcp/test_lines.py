"""Bytes that come in pieces become lines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit_mcp.transports.lines import Line, LineBuffer, Overlong


def taken(pieces: list[bytes], longest: int = 1_000_000) -> list[Line]:
    buffer = LineBuffer(longest)
    return [line for piece in pieces for line in buffer.take(piece)]


@given(st.lists(st.binary(max_size=20).map(lambda piece: piece.replace(b"x", b"\n")), max_size=12))
def test_lines_are_the_same_however_they_are_cut(pieces: list[bytes]) -> None:
    whole = b"".join(pieces)
    assert taken(pieces) == whole.split(b"\n")[:-1]


@given(st.lists(st.binary(max_size=30).map(lambda piece: piece.replace(b"x", b"\n")), max_size=12))
def test_a_line_that_is_too_long_costs_the_others_nothing(pieces: list[bytes]) -> None:
    lines = b"".join(pieces).split(b"\n")[:-1]
    found = taken(pieces, longest=10)
    assert [line for line in found if isinstance(line, bytes)] == [line for line in lines if len(line) <= 10]
    assert [line.size for line in found if isinstance(line, Overlong)] == [
        len(line) for line in lines if len(line) > 10
    ]


@pytest.mark.parametrize("size", [10_000, 100_000])
def test_of_a_line_that_is_too_long_both_ends_are_kept(size: int) -> None:
    line = b"begin" + b"-" * size + b"end"
    pieces = [line[at : at + 999] for at in range(0, len(line), 999)]
    (found,) = taken([*pieces, b"\n"], longest=5_000)
    assert isinstance(found, Overlong)
    assert found.start.startswith(b"begin")
    assert found.end.endswith(b"end")
    assert found.size == len(line)


def test_a_long_line_in_small_pieces_is_looked_at_once() -> None:
    buffer = LineBuffer(4_000_000)
    for _ in range(20_000):
        assert buffer.take(b"x" * 100) == ()
    (line,) = buffer.take(b"\n")
    assert isinstance(line, bytes)
    assert len(line) == 2_000_000
