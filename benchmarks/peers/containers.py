"""`docker run`: a container started for each piece of code, from the image that ours has made of this Python."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping

from benchmarks.rounds import ContenderError

LIMITS = ["--network", "none", "--read-only", "--cap-drop", "ALL", "--memory", "128m", "--memory-swap", "128m"]
ROUNDS = 3


def docker_run() -> float:
    """Milliseconds of `print(1)`, the least of a few. Raises `ContenderError` where there is no image of ours yet."""
    command = ["docker", "run", "--rm", *LIMITS, "--pids-limit", "32", _image(), "/python", "-I", "-c", "print(1)"]
    taken: list[float] = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        taken.append((time.perf_counter() - begin) * 1e3)
    return min(taken)


def _image() -> str:
    listed = subprocess.run(
        ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "gleitzeit-python"],
        check=True,
        capture_output=True,
        text=True,
    )
    images = listed.stdout.split()
    if not images:
        raise ContenderError("there is no image of this Python")
    return images[0]


TAKES: Mapping[str, Callable[[], float]] = {"docker run": docker_run}
