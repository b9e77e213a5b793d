"""The fork server: how it starts, how it ends, and what ends with it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.security.raw import ROOT, Server, a_job, has_ended, pythons

BUSY = "print(1)\nwhile True: pass"


@pytest.fixture
def own(tier: str, user: str | None, python: str) -> Iterator[Server]:
    with Server(tier, python=python, user=user, preload=["json"]) as server:
        assert server.ready, server.facts
        yield server


def test_it_tells_what_it_is(own: Server, tier: str) -> None:
    assert own.facts["tier"] == tier
    assert own.facts["pid"] == own.process.pid
    assert own.facts["missing"] == []
    assert own.facts["landlock_abi"] >= 0


def test_modules_that_are_not_there_are_told(tier: str, user: str | None, python: str) -> None:
    with Server(tier, python=python, user=user, preload=["json", "nowhere_at_all"]) as server:
        assert server.facts["missing"] == ["nowhere_at_all"]
        assert server.run("import json").end == {"ok": True, "exit": 0}


def test_a_tier_that_does_not_exist_is_an_error() -> None:
    with Server("xx") as server:
        assert server.facts["step"] == "options"
        assert server.process.wait(10) == 70


@pytest.mark.parametrize("count", [1, 3])
def test_it_ends_with_its_socket_and_takes_its_workers(own: Server, count: int) -> None:
    workers = [own.spawn() for _ in range(count)]
    for worker in workers:
        worker.send(a_job(BUSY))
        os.read(worker.stdout, 1)
    own.close()
    for worker in workers:
        assert worker.gone()
        worker.close()
    assert own.processes() == set()


def test_when_it_is_killed_its_workers_die(own: Server) -> None:
    worker = own.spawn()
    worker.send(a_job(BUSY))
    os.read(worker.stdout, 1)
    others = own.processes()
    own.process.kill()
    assert worker.gone()
    assert all(has_ended(pid) for pid in others - {own.process.pid})
    own.process.wait()
    worker.close()
    for folder in own.folders:  # those of a server that was killed are the host's to remove
        shutil.rmtree(folder)


def test_it_ends_as_well_where_what_it_told_was_not_read(own: Server) -> None:
    worker = own.spawn()
    worker.close()
    assert select.select([own.control], [], [], 10)[0]  # the notice of the worker's end
    own.close()
    assert own.process.returncode == 0


def test_it_lives_on_when_a_worker_crashes(own: Server) -> None:
    for code in ("import ctypes; ctypes.string_at(0)", "import os; os.abort()", "import os; os._exit(3)"):
        assert own.run(code).end is None
    assert own.run("result = 1").value == 1


def test_a_message_that_makes_no_sense_is_answered(own: Server) -> None:
    for message in (b"nonsense", b"{}", b'{"spawn": 5}', b'{"spawn": {"work": null}}'):
        own.control.send(message)
        assert "error" in json.loads(own.control.recv(1 << 16))
    assert own.run("result = 1").value == 1


def test_it_leaves_no_descriptor_open(own: Server) -> None:
    own.run("1")
    pid = max(own.processes())
    before = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    for _ in range(5):
        own.run("1")
    assert len(list(Path(f"/proc/{pid}/fd").iterdir())) == before


def test_a_signal_from_the_terminal_does_not_reach_it(own: Server) -> None:
    assert os.getsid(own.process.pid) != os.getsid(0)
    assert own.run("result = 1").value == 1


HOST = """
import sys
from tests.security.raw import Server, a_job
import os
server = Server(sys.argv[1], preload=["json"])
worker = server.spawn()
worker.send(a_job("print(1)\\nwhile True: pass"))
os.read(worker.stdout, 1)
standby = server.spawn()
print(*server.processes(), flush=True)
sys.stdin.read()
"""


def test_when_the_host_is_killed_nothing_is_left(tier: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", HOST, tier]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, cwd=ROOT) as host:
        assert host.stdout is not None
        started = {int(pid) for pid in host.stdout.readline().split()}
        assert len(started) >= 3
        host.send_signal(signal.SIGKILL)
    assert all(has_ended(pid) for pid in started)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("python", sorted(set(pythons())))
def test_every_interpreter_of_this_machine_has_what_it_needs(tier: str, python: str) -> None:
    code = "import sys, ssl, sqlite3, ctypes, decimal, lzma, zoneinfo\nresult = sys.version_info[:2]"
    with Server(tier, python=python) as server:
        assert server.ready, server.facts
        told = subprocess.run(
            [python, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, check=True
        )
        assert server.run(code).value == [int(part) for part in told.stdout.split()]


def test_installed_packages_are_there_if_they_are_wanted(tier: str) -> None:
    code = "import pytest\nresult = pytest.__name__"
    with Server(tier, packages=True, preload=["json"]) as server:
        assert server.run(code, limits={"memory": 256 << 20}).value == "pytest"
    with Server(tier, packages=False, preload=["json"]) as server:
        assert server.run(code).error["type"] == "ModuleNotFoundError"


def test_numpy_works_if_it_is_installed(tier: str) -> None:
    pytest.importorskip("numpy")
    code = "import numpy\nresult = [float(numpy.ones((50, 50)).dot(numpy.ones(50)).sum()), float(numpy.random.rand())]"
    with Server(tier, packages=True, preload=["json", "numpy"]) as server:
        assert server.facts["missing"] == []
        first, second = server.run(code).value, server.run(code).value
        assert first[0] == second[0] == 2500
        assert first[1] != second[1]


def test_descriptors_that_are_missing_are_an_error(own: Server) -> None:
    one, other = socket.socketpair()
    socket.send_fds(own.control, [b'{"spawn": {"work": null}}'], [other.fileno()])
    assert "3 descriptors" in json.loads(own.control.recv(1 << 16))["error"]
    one.close()
    other.close()
