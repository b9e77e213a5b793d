"""A server that is killed takes with it all that it has started for code."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux")

SERVER = """
import sys
import anyio
from gleitzeit_python.kernel.sandbox import KernelSandbox, KernelSettings
from gleitzeit_python.sandbox.base import Job, Limits, Silent

class Host(Silent):
    async def progress(self, done, total, message):
        print("running", flush=True)

async def main():
    sandbox = KernelSandbox(sys.argv[1], KernelSettings(standby=2))
    async with sandbox.open():
        code = "import time\\nopen('left', 'w').close()\\nprogress(1)\\ntime.sleep(60)"
        await sandbox.run(Job(code, limits=Limits(timeout=60)), Host())

anyio.run(main)
"""


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split():
        found |= {int(child), *descendants(int(child))}
    return found


def wait_for_end(pidfds: list[int], seconds: float) -> int:
    """How many of the processes are left after so long."""
    poll, left = select.poll(), set(pidfds)
    for pidfd in pidfds:
        poll.register(pidfd, select.POLLIN)
    while left and (ended := poll.poll(seconds * 1000)):
        for pidfd, _ in ended:
            poll.unregister(pidfd)
            left.discard(pidfd)
    return len(left)


@pytest.mark.parametrize("tier", ["ns", "ll"])
def test_nothing_is_left_of_a_server_that_was_killed(tier: str) -> None:
    with subprocess.Popen([sys.executable, "-c", SERVER, tier], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "running\n"
        processes = descendants(server.pid)
        assert len(processes) >= 2  # the fork server and its worker; others may stand by already
        pidfds = [os.pidfd_open(pid) for pid in processes]
        server.kill()
    try:
        assert wait_for_end(pidfds, 5) == 0
    finally:
        for pidfd in pidfds:
            os.close(pidfd)
    assert list(Path(tempfile.gettempdir()).glob(f"gleitzeit-job-{server.pid}-*")) == []
