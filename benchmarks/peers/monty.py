"""pydantic-monty: an interpreter of a subset of Python; a fresh session for each piece of code, its workers warm.

Run as a program it prints the milliseconds that each round took, as JSON.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

from benchmarks.peers.environment import python_of
from benchmarks.rounds import ROOT

ROUNDS = 100


def take() -> float:
    """Milliseconds of `print(1)`, the median. Raises `NotInstalledError` and `subprocess.CalledProcessError`."""
    command = [str(python_of("monty")), "-E", "-m", "benchmarks.peers.monty"]
    done = subprocess.run(command, capture_output=True, check=True, cwd=ROOT)
    taken: list[float] = json.loads(done.stdout)
    return statistics.median(taken)


def main() -> None:
    """Measure."""
    monty: Any = import_module("pydantic_monty")
    taken: list[float] = []
    with monty.Monty() as pool:
        for _ in range(ROUNDS):
            begin = time.perf_counter()
            with pool.checkout() as session:
                session.feed_run("1 + 1")
            taken.append((time.perf_counter() - begin) * 1e3)
    json.dump(taken, sys.stdout)


if __name__ == "__main__":
    main()
