"""What one job may use."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

import pytest
from tests.security.raw import ENOUGH, Server, a_job


def test_too_much_memory_is_a_memory_error(server: Server) -> None:
    ran = server.run("x = bytearray(300 << 20)", limits={"memory": 256 << 20})
    assert ran.error["type"] == "MemoryError"


def test_the_memory_that_a_job_has_is_all_its_own(server: Server) -> None:
    assert server.run("x = bytearray(100 << 20); result = len(x)", limits={"memory": 128 << 20}).value == 100 << 20


def test_memory_in_small_pieces_runs_out_too(server: Server) -> None:
    ran = server.run("kept = []\nwhile True: kept.append([None] * 1000)", limits={"memory": 64 << 20})
    assert ran.error["type"] == "MemoryError"


def test_a_result_that_memory_is_too_small_for_is_a_memory_error(server: Server) -> None:
    code = "class E(dict):\n  def items(self): return iter(int, 1)\nresult = E(a=1)"
    assert server.run(code, limits={"memory": 32 << 20}).error["type"] == "MemoryError"


def test_cpu_time_runs_out(server: Server) -> None:
    ran = server.run("while True: pass", limits={"cpu": 1})
    assert ran.notice is not None
    assert (ran.timed_out, ran.end, ran.notice["signal"]) == (False, None, 9)


def test_a_file_that_gets_too_large_is_an_error_and_no_death(server: Server) -> None:
    ran = server.run("with open('f', 'wb') as file: file.write(bytes(2 << 20))", limits={"file": 1 << 20})
    assert ran.error["type"] == "OSError"
    assert "File too large" in ran.error["message"]


def test_dozens_of_threads_have_room(server: Server) -> None:
    code = """
import threading
together = threading.Barrier(41)
for _ in range(40): threading.Thread(target=together.wait).start()
together.wait()
result = threading.active_count() > 0
"""
    assert server.run(code).value is True


def test_workers_do_not_share_their_threads(server: Server) -> None:
    code = """
import threading
go = threading.Event()
for _ in range(45): threading.Thread(target=go.wait).start()
print("started", flush=True)
"""
    workers = [server.spawn() for _ in range(4)]
    try:
        for worker in workers:
            worker.send(a_job(code))
        assert [os.read(worker.stdout, 100) for worker in workers] == [b"started\n"] * 4
    finally:
        for worker in workers:
            worker.close()


def test_a_kill_takes_effect_at_once(server: Server) -> None:
    worker = server.spawn()
    try:
        worker.send(a_job("print(1)\nwhile True: pass"))
        os.read(worker.stdout, 1)
        started = time.monotonic()
        worker.kill()
        assert worker.gone()
        assert time.monotonic() - started < 3.0
    finally:
        worker.close()


@pytest.mark.parametrize("memory", [128 << 20, 256 << 20])
def test_modules_that_are_not_at_hand_yet_can_be_imported(server: Server, memory: int) -> None:
    ran = server.run("import sqlite3, xml.etree.ElementTree, zoneinfo, ctypes", limits={"memory": memory})
    assert ran.end == {"ok": True, "exit": 0}


def test_many_workers_live_at_once(server: Server) -> None:
    """The fork server holds a descriptor of each, more of them than a job may have."""
    workers = [server.spawn() for _ in range(70)]
    try:
        for worker in workers:
            worker.send(a_job("result = 1"))
        assert [worker.finish(ENOUGH).value for worker in workers] == [1] * 70
    finally:
        for worker in workers:
            worker.kill()
            assert worker.gone()
            server.exited(worker)
            worker.close()


SHARED = """
import fcntl, os
before = fcntl.fcntl(0, fcntl.F_GETFL)
fcntl.fcntl(0, fcntl.F_SETFL, before | os.O_NONBLOCK | os.O_APPEND)
result = before
"""


def test_no_flag_of_a_standard_stream_is_seen_by_another_job(server: Server) -> None:
    assert server.run(SHARED).value == server.run(SHARED).value


def test_no_lock_outlives_its_job(server: Server) -> None:
    assert server.run("import fcntl\nresult = fcntl.flock(0, fcntl.LOCK_EX | fcntl.LOCK_NB)").value is None
    with Path(os.devnull).open("rb") as nothing:
        fcntl.flock(nothing, fcntl.LOCK_EX | fcntl.LOCK_NB)
