"""Servers run on the faster loop where there is one, and on asyncio's own elsewhere."""

from __future__ import annotations

import asyncio
import importlib.util
import sys

import pytest

from gleitzeit.mcp_server import event_loop


async def _loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_it_is_that_of_uvloop_where_there_is_one() -> None:
    expected = "uvloop" if importlib.util.find_spec("uvloop") else "asyncio"
    assert event_loop.run(_loop).partition(".")[0] == expected


def test_it_is_that_of_asyncio_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert event_loop.run(_loop).partition(".")[0] == "asyncio"


def test_arguments_and_result_go_through() -> None:
    async def add(one: int, other: int) -> int:
        return one + other

    assert event_loop.run(add, 2, 3) == 5
