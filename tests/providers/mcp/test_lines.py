from __future__ import annotations

import time

import pytest

from gleitzeit_mcp.transports.lines import LineBuffer


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_lines_are_whole_however_they_come(size: int) -> None:
    sent = b"one\n\ntwo\nthr"
    buffer = LineBuffer()
    lines = [line for start in range(0, len(sent), size) for line in buffer.take(sent[start : start + size])]
    assert lines == [b"one", b"", b"two"]
    assert len(buffer) == 3
    assert buffer.take(b"ee\n") == [b"three"]
    assert len(buffer) == 0


def test_a_long_line_takes_a_time_that_grows_with_its_length() -> None:
    buffer, piece = LineBuffer(), b"x" * 4096
    started = time.process_time()
    for _ in range(8192):
        buffer.take(piece)
    assert len(buffer.take(b"\n")[0]) == 8192 * 4096
    assert time.process_time() - started < 2  # looking at all of it each time would take minutes
