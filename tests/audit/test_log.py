"""What is to be carried out is written first, in order, and everything is written by the end."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.audit.base import Entry
from gleitzeit.audit.file import AuditFile
from gleitzeit.audit.log import AuditLog, open_log
from gleitzeit.core.errors import UnrecordedError

pytestmark = pytest.mark.anyio


def entry(name: str) -> Entry:
    return Entry(event="decided", id=name, caller="ann")


def ids(path: Path) -> list[str]:
    return [json.loads(line)["id"] for line in path.read_bytes().splitlines()]


async def test_an_entry_is_in_the_file_as_soon_as_it_is_recorded(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with open_log(AuditFile(path)) as log:
        await log.record(entry("1"))
        assert ids(path) == ["1"]
        log.note(entry("2"))
        await log.settled()
        assert ids(path) == ["1", "2"]


async def test_what_was_noted_last_is_there_at_the_end_also_after_a_cancellation(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"

    async def work() -> None:
        async with open_log(AuditFile(path)) as log:
            for number in range(100):
                log.note(entry(str(number)))
            scope.cancel()
            await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await work()
    assert ids(path) == [str(number) for number in range(100)]


async def test_many_at_once_are_written_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    async with open_log(AuditFile(path)) as log, anyio.create_task_group() as tasks:
        for number in range(300):
            tasks.start_soon(log.record, entry(str(number)))
    assert ids(path) == [str(number) for number in range(300)]


async def test_an_error_of_the_body_comes_out_as_it_is(tmp_path: Path) -> None:
    async def work() -> None:
        async with open_log(AuditFile(tmp_path / "audit.jsonl")) as log:
            log.note(entry("1"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await work()
    assert ids(tmp_path / "audit.jsonl") == ["1"]


class Disk(AuditFile):
    """A file on a disk that may be full."""

    full = False

    def append(self, line: bytes) -> None:
        if self.full:
            raise OSError(28, os.strerror(28))
        super().append(line)


async def test_what_cannot_be_written_is_refused_and_loud_until_there_is_room_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "audit.jsonl"
    disk = Disk(path)
    async with open_log(disk) as log:
        disk.full = True
        with pytest.raises(UnrecordedError, match="No space left") as caught:
            await log.record(entry("1"))
        assert caught.value.retryable
        assert str(path) not in f"{caught.value} {caught.value.hint}"  # which is nothing to tell a client
        log.note(entry("2"))
        await log.settled()
        disk.full = False
        await log.record(entry("3"))
    assert ids(path) == ["3"]
    lost = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert len(lost) == 2
    assert '"id":"2"' in lost[1]


async def test_a_slow_disk_does_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    gate, reached, loop = os.pipe(), anyio.Event(), asyncio.get_running_loop()

    class Slow(AuditFile):
        def append(self, line: bytes) -> None:
            loop.call_soon_threadsafe(reached.set)
            os.read(gate[0], 1)
            super().append(line)

    async def record(log: AuditLog, done: list[Any]) -> None:
        await log.record(entry("1"))
        done.append(1)

    done: list[Any] = []
    async with open_log(Slow(tmp_path / "audit.jsonl")) as log, anyio.create_task_group() as tasks:
        tasks.start_soon(record, log, done)
        with anyio.fail_after(5):
            await reached.wait()  # the loop runs while the thread waits for its disk
        assert done == []
        os.write(gate[1], b"x")
    assert done == [1]
    for descriptor in gate:
        os.close(descriptor)


async def test_nothing_is_carried_out_after_it_is_closed(tmp_path: Path) -> None:
    async with open_log(AuditFile(tmp_path / "audit.jsonl")) as log:
        pass
    with pytest.raises(UnrecordedError):
        await log.record(entry("late"))
