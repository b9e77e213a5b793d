"""What the MCP face costs: calls and workflows over stdio, many clients over HTTP, and what they leave behind.

    python -m benchmarks.face [--json] [--quick] [--rounds N]

Beside each stands a bare low-level server of the SDK, whose tool does nothing either, on the same transport and with
the same client, which uses no SDK; the two take turns. Ours records each call in its database, with `synchronous=FULL`.
A measurement is no test: the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks import http_clients, process_table
from benchmarks.host import Host
from benchmarks.hubs import ENVIRONMENT, SERVE, Hub
from benchmarks.noop_provider import NOOP, ONCE
from benchmarks.options import parser_of, show
from benchmarks.rounds import ROOT, ContenderError, Samples, by_turns
from benchmarks.table import Line, Section

OURS, BARE = "ours", "bare"
CLIENTS = 100

CALL_BOUND = 2.0
WORKFLOW_BOUND = 4.0
RATE_BOUND = 0.7
GROWTH_BOUND = 1.1

_TASKS = [
    {"id": name, "method": NOOP, "dependencies": needs} for name, needs in (("a", []), ("b", []), ("c", ["a", "b"]))
]
CALL: Mapping[str, Any] = {"name": "call_method", "arguments": {"method": NOOP}}
CALL_ONCE: Mapping[str, Any] = {"name": "call_method", "arguments": {"method": ONCE}}
WORKFLOW: Mapping[str, Any] = {"name": "submit_workflow", "arguments": {"workflow": {"tasks": _TASKS}}}
NOTHING: Mapping[str, Any] = {"name": "noop", "arguments": {}}

Take = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    calls: int = 400
    warming: int = 400
    http_calls: int = 3_000
    many_calls: int = 10_000
    many_sessions: int = 1_000
    rounds: int = 5


QUICK = Extent(calls=20, warming=10, http_calls=100, many_calls=100, many_sessions=10, rounds=1)


class Caller(Host):
    """A host that calls one tool."""

    def _answered(self) -> int:
        answer = self._answer()
        result = answer.get("result", {})
        if "content" not in result or result.get("isError") or result.get("structuredContent", {}).get("next"):
            raise ContenderError(f"{self.hub.name} answered a call with {answer}")
        number: int = answer["id"]
        return number


def server(home: Path) -> Hub:
    """`gleitzeit mcp` in a folder of its own, whose calls are named by the first argument of `tool_call`."""
    configure(home)
    calls = {"call": CALL, "once": CALL_ONCE, "workflow": WORKFLOW}

    def tool_call(name: str, _: str, __: Mapping[str, Any]) -> Mapping[str, Any]:
        return calls[name]

    return Hub("Gleitzeit", [sys.executable, "-c", SERVE], tool_call, {**ENVIRONMENT, "GLEITZEIT_HOME": str(home)})


def nothing(name: str, _: str, __: Mapping[str, Any]) -> Mapping[str, Any]:
    """The one call of the bare server, whatever is asked for."""
    return NOTHING


BARE_SERVER = Hub("bare", [sys.executable, "-m", "benchmarks.bare_server"], nothing, ENVIRONMENT)


def configure(home: Path) -> None:
    """Write the configuration: the provider that does nothing."""
    providers = {"modules": ["benchmarks.noop_provider"], "path": [str(ROOT)]}
    (home / "config.yaml").write_text(json.dumps({"providers": providers}), encoding="utf-8")


def over_stdio(extent: Extent) -> Section:
    """One call after the other."""
    folder = tempfile.TemporaryDirectory(prefix="gleitzeit-bench-")
    with folder as home, Caller(server(Path(home))) as mine, Caller(BARE_SERVER) as bare:
        lines = [
            *beside("call_method of a no-op", "call", mine, bare, extent, CALL_BOUND),
            *beside("submit_workflow, 3 tasks of no-ops", "workflow", mine, bare, extent, WORKFLOW_BOUND),
            *beside("call_method of what must not be repeated", "once", mine, bare, extent),
        ]
    return Section("Milliseconds a call over stdio", ("ours", "bare SDK", "ratio"), lines)


def beside(
    name: str, call: str, mine: Caller, bare: Caller, extent: Extent, bound: float | None = None
) -> Sequence[Line]:
    """What a call of ours takes beside one of the bare server: by the clock, and of the server's CPU."""
    for host in (mine, bare):
        host.one_by_one(call, extent.warming)
    costs = {OURS: mine, BARE: bare}
    wall: dict[str, list[float]] = {OURS: [], BARE: []}
    cpu: dict[str, list[float]] = {OURS: [], BARE: []}
    for _ in range(extent.rounds):
        for key, host in costs.items():
            cost = host.one_by_one(call, extent.calls)
            wall[key].append(cost.wall / cost.calls * 1e3)
            cpu[key].append(cost.cpu / cost.calls * 1e3)
    return [line(name, Samples(wall), bound), line("  of that, CPU of the server", Samples(cpu))]


def line(name: str, samples: Samples[str], bound: float | None = None) -> Line:
    """Ours beside the bare server."""
    return Line(name, samples.median(OURS), samples.median(BARE), samples.ratio(OURS, BARE), bound)


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str]) -> Generator[tuple[str, int]]:
    """The URL of a server, which prints it as its first line, and its process id."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=ROOT)
    try:
        assert process.stdout is not None
        url = process.stdout.readline().decode().strip()
        if not url:
            raise ContenderError(f"{command[-1]} ended before it listened")
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def served() -> Generator[tuple[str, int]]:
    """`gleitzeit serve` on a free port, in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as home:
        configure(Path(home))
        command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0"]
        with serving(command, {**ENVIRONMENT, "GLEITZEIT_HOME": home}) as found:
            yield found


def over_http(extent: Extent) -> Section:
    """Many clients at once, and what they leave behind."""
    with served() as (mine, process), serving([sys.executable, "-m", "benchmarks.bare_http"], ENVIRONMENT) as (bare, _):
        takes: dict[str, Take] = {
            OURS: lambda: http_clients.rate(mine, CALL, CLIENTS, extent.http_calls),
            BARE: lambda: http_clients.rate(bare, NOTHING, CLIENTS, extent.http_calls),
        }
        for take in takes.values():
            take()
        samples = by_turns(takes, extent.rounds)
        before = process_table.resident(process)
        http_clients.rate(mine, CALL, CLIENTS, extent.many_calls)
        http_clients.sessions(mine, CALL, extent.many_sessions)
        after = process_table.resident(process)
    measured = f"MB resident, {extent.many_calls:,} calls, {extent.many_sessions:,} sessions"
    rates = samples.median(OURS), samples.median(BARE), samples.ratio(OURS, BARE)
    lines = [
        Line(f"calls a second of {CLIENTS} clients", *rates, RATE_BOUND, "at least"),
        Line(measured, after, before, after / before, GROWTH_BOUND, note="after and before"),
    ]
    return Section("Streamable HTTP", ("ours", "bare SDK", "ratio"), lines)


def main() -> None:
    """Measure and print."""
    options = parser_of(__doc__).parse_args()
    extent = QUICK if options.quick else Extent()
    if options.rounds:
        extent = replace(extent, rounds=options.rounds)
    show(measured(extent), options)


def measured(extent: Extent) -> Sequence[Section]:
    """All of it, or the reason why there is nothing to show."""
    if not process_table.is_there():
        return [Section("Face", ("ours", "bare SDK", "ratio"), [Line("not measured", note="this system has no /proc")])]
    return [over_stdio(extent), over_http(extent)]


if __name__ == "__main__":
    main()
