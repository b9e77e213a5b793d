from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as some

from gleitzeit_python.broker.frames import FrameError
from gleitzeit_python.stdio.channels import LARGEST, ChannelReader, Kind

pieces = some.lists(some.tuples(some.sampled_from(list(Kind)), some.binary(max_size=100)))


@given(pieces, some.integers(1, 40))
def test_pieces_come_out_as_they_went_in_however_they_were_cut(told: list[tuple[Kind, bytes]], size: int) -> None:
    stream = b"".join(struct.pack(">BI", kind, len(data)) + data for kind, data in told)
    reader = ChannelReader()
    found = [piece for start in range(0, len(stream), size) for piece in reader.feed(stream[start : start + size])]
    assert found == told


@given(some.binary())
def test_garbage_is_a_frame_error_or_nothing(data: bytes) -> None:
    try:
        for kind, piece in ChannelReader().feed(data):
            assert kind in Kind
            assert len(piece) <= LARGEST
    except FrameError:
        pass


@pytest.mark.parametrize("header", [struct.pack(">BI", 9, 1), struct.pack(">BI", 1, LARGEST + 1)])
def test_what_is_no_piece_is_refused_by_its_header(header: bytes) -> None:
    with pytest.raises(FrameError):
        list(ChannelReader().feed(header))
