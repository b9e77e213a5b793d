"""A Docker daemon: the one that is there, or one of our own where the machine lets us start it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

PATIENCE = 30.0


class NoDockerError(Exception):
    """Why there is none."""


@contextmanager
def docker_host(folder: Path) -> Generator[str]:
    """The address of a daemon. One that was started here ends with this."""
    given = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if not given.startswith("unix://") or _answers(Path(given.removeprefix("unix://"))):
        yield given
        return
    program = shutil.which("dockerd")
    if program is None:
        raise NoDockerError("no Docker daemon runs, and dockerd is not installed (apt-get install docker.io)")
    if os.geteuid() != 0:
        raise NoDockerError("no Docker daemon runs, and only root can start one")
    with _started(program, folder) as host:
        yield host


@contextmanager
def _started(program: str, folder: Path) -> Generator[str]:
    address = folder / "docker.sock"
    folders = [f"--data-root={folder}/data", f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"]
    network = ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, *folders, "-H", f"unix://{address}", *network], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                words = (folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-3:]
                raise NoDockerError(f"dockerd does not start on this machine: {' | '.join(words)}")
            time.sleep(0.1)  # a daemon says by nothing else that it listens
        yield f"unix://{address}"
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(address: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
        try:
            connection.connect(str(address))
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in connection.recv(1024)
        except OSError:
            return False
