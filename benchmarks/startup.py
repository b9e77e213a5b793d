"""What starting costs, beside what it could cost at least: run side by side, in turns, and printed as ratios.

    python benchmarks/startup.py [--rounds 15] [--json]

Wall time is the median of all rounds, CPU time (user + system, of the process alone) the smallest.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

BARE = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]
OURS = [sys.executable, "-c", "import sys; from gleitzeit.cli import serve_stdio; sys.exit(serve_stdio())"]

CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}
OPENING: Sequence[Mapping[str, object]] = (
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing measured against its yardstick; `bound` is the most that the ratio should be."""

    name: str
    unit: str
    ours: float
    yardstick: float
    bound: float

    @property
    def ratio(self) -> float:
        """How many times the yardstick it takes."""
        return self.ours / self.yardstick


def first_answer(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds from spawning a server to its list of tools."""
    begin = time.perf_counter()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"".join(json.dumps(message).encode() + b"\n" for message in OPENING))
        process.stdin.flush()
        process.stdout.readline()
        answer = json.loads(process.stdout.readline())
        taken = time.perf_counter() - begin
        process.stdin.close()
        process.wait(10)
    if not answer["result"]["tools"]:
        raise SystemExit(f"{command}: no tools in {answer}")
    return taken


def cpu(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """Seconds of CPU that a command takes."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def in_turns(rounds: int, measure: Sequence[Callable[[], float]]) -> list[list[float]]:
    """The samples of each measurement, taken in turns so that all see the same machine."""
    samples: list[list[float]] = [[] for _ in measure]
    for number in range(rounds + 1):
        for kept, take in zip(samples, measure, strict=True):
            sample = take()
            if number:  # the first round fills the caches
                kept.append(sample)
    return samples


def measure_all(rounds: int, environment: Mapping[str, str]) -> list[Comparison]:
    """All comparisons."""
    python = sys.executable
    ours, bare = in_turns(rounds, [partial(first_answer, command, environment) for command in (OURS, BARE)])
    imports = [
        [python, "-c", "from gleitzeit import Workflow, Task, GleitzeitClient"],
        [python, "-c", "import pydantic, yaml"],
        [python, "-c", "import sys; from gleitzeit.cli import main; sys.argv = ['gleitzeit', '--version']; main()"],
        [python, "-c", "pass"],
    ]
    public, needed, version, nothing = in_turns(rounds, [partial(cpu, command, environment) for command in imports])
    return [
        Comparison(
            "spawn to tools/list (bare SDK server)", "s", statistics.median(ours), statistics.median(bare), 1.25
        ),
        Comparison("from gleitzeit import ... (pydantic, yaml)", "s CPU", min(public), min(needed), 1.5),
        Comparison("gleitzeit --version (python -c pass)", "s CPU", min(version), min(nothing), 3.0),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        results = measure_all(options.rounds, {**os.environ, "GLEITZEIT_HOME": home})
    if options.json:
        rows = [
            {"name": row.name, "ours": row.ours, "yardstick": row.yardstick, "ratio": row.ratio, "bound": row.bound}
            for row in results
        ]
        print(json.dumps(rows, indent=2))
        return
    for row in results:
        verdict = "ok" if row.ratio <= row.bound else "OVER"
        print(
            f"{row.name:<44} {row.ours:7.3f} / {row.yardstick:7.3f} {row.unit:<6}"
            f" = {row.ratio:5.2f}  (at most {row.bound:g}) {verdict}"
        )


if __name__ == "__main__":
    main()
