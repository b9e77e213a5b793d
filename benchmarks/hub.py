"""What a call through the hub costs: beside FastMCP's proxies, beside the least that could do it, and as it grows.

    python -m benchmarks.hub [--json] [--quick] [--no-peers] [--rounds N]

All hubs have the same servers and the same host, which speaks JSON-RPC over their standard streams; they take turns.
CPU time is that of the hub's process alone, all threads, user and system; a ratio is the median of the ratios round by
round. Ours records each call in its database. A measurement is no test: the exit code is 0.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from benchmarks import hubs, process_table
from benchmarks.host import Host
from benchmarks.hubs import Hub, Server
from benchmarks.options import parser_of, show
from benchmarks.peers.environment import NotInstalledError
from benchmarks.rounds import ROOT, ContenderError, Samples, by_turns
from benchmarks.table import Line, Section

WIDTH = 16
FEW, MANY = 5, 20
OURS, FLOOR, THEIRS = "ours", "floor", "theirs"

CPU_BOUND = 2.0
RATE_BOUND = 3.0
START_BOUND = 1.5
GROWTH_BOUND = 8.0


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    calls: int = 500
    warming: int = 200
    settled: int = 2_000
    many: int = 20_000
    counted: int = 1_000
    rounds: int = 5
    starts: int = 9


QUICK = Extent(calls=20, warming=5, settled=50, many=100, counted=40, rounds=1, starts=1)

Take = Callable[[], float]


def names_of(servers: Sequence[Server]) -> list[str]:
    """The names of those that answer."""
    return [server.name for server in servers if not server.silent]


@contextmanager
def gleitzeit(servers: Sequence[Server]) -> Generator[Host]:
    """A host with ours, in a home of its own."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as home, Host(hubs.ours(servers, Path(home))) as host:
        yield host


def cpu_of_calls(host: Host, extent: Extent) -> Take:
    """Milliseconds of CPU a call, one after the other, of one server."""
    host.one_by_one("s0", extent.warming)
    return lambda: host.one_by_one("s0", extent.calls).cpu / extent.calls * 1e3


def rate_of_calls(host: Host, extent: Extent) -> Take:
    """Calls a second, 16 at once, over five servers."""
    names = names_of(hubs.several(FEW))
    host.at_once(names, extent.warming, WIDTH)
    return lambda: extent.calls / host.at_once(names, extent.calls, WIDTH).wall


def against_the_floor(extent: Extent) -> Section:
    """Ours beside a hub that only passes calls on; for information, as it records nothing and checks nothing."""
    servers = hubs.several(FEW)
    with gleitzeit(servers) as mine, Host(hubs.floor(servers)) as least:
        cpu = by_turns({OURS: cpu_of_calls(mine, extent), FLOOR: cpu_of_calls(least, extent)}, extent.rounds)
        rate = by_turns({OURS: rate_of_calls(mine, extent), FLOOR: rate_of_calls(least, extent)}, extent.rounds)
    lines = [
        Line("ms of CPU a call, one by one", *beside(cpu, FLOOR), cpu.ratio(OURS, FLOOR)),
        Line("calls a second, 16 at once, 5 servers", *beside(rate, FLOOR), rate.ratio(OURS, FLOOR)),
    ]
    return Section("Beside a raw hub", ("ours", "floor", "ratio"), lines)


def against_fastmcp(extent: Extent) -> Section:
    """Ours beside FastMCP, or the reason why there is nothing to show."""
    servers = hubs.several(FEW)
    title = "FastMCP"
    try:
        with gleitzeit(servers) as mine, Host(hubs.fastmcp(servers)) as other:
            title = f"{other.version}, its clients kept open"
            cpu = by_turns({OURS: cpu_of_calls(mine, extent), THEIRS: cpu_of_calls(other, extent)}, extent.rounds)
            rate = by_turns({OURS: rate_of_calls(mine, extent), THEIRS: rate_of_calls(other, extent)}, extent.rounds)
            memory = process_table.resident(mine.process), process_table.resident(other.process)
    except (NotInstalledError, ContenderError) as error:
        return Section(title, ("ours", "theirs", "ratio"), [Line("not measured", note=str(error))])
    lines = [
        bounded("ms of CPU a call, one by one, theirs / ours", cpu, (THEIRS, OURS), CPU_BOUND),
        bounded("calls a second, 16 at once, ours / theirs", rate, (OURS, THEIRS), RATE_BOUND),
        Line("MB resident afterwards, theirs / ours", *memory, memory[1] / memory[0]),
    ]
    return Section(title, ("ours", "theirs", "ratio"), lines)


def beside(samples: Samples[str], other: str) -> tuple[float, float]:
    """The medians of ours and the other."""
    return samples.median(OURS), samples.median(other)


def bounded(name: str, samples: Samples[str], order: tuple[str, str], bound: float) -> Line:
    """One measurement of both, of which the first of `order` should be at least so many times the second."""
    return Line(name, *beside(samples, THEIRS), samples.ratio(*order), bound, "at least")


def start(extent: Extent, with_peers: bool) -> Section:
    """How long it takes until all of 20 servers are ready."""
    servers = hubs.several(MANY)
    lines = [
        start_within("everything imported / floor", "wall", servers, extent.starts, START_BOUND),
        start_within("the same in CPU, with that of the servers", "cpu", servers, extent.rounds),
        whole_start("floor", hubs.floor(servers), servers, extent.rounds),
    ]
    if with_peers:
        try:
            lines.append(whole_start("FastMCP", hubs.fastmcp(servers), servers, extent.rounds))
        except (NotInstalledError, ContenderError) as error:
            lines.append(Line("FastMCP: not measured", note=str(error)))
    return Section(f"Seconds until {MANY} servers are ready", ("ours", "other", "ratio"), lines)


def start_within(name: str, measure: str, servers: Sequence[Server], rounds: int, bound: float | None = None) -> Line:
    """Ours and the floor from the moment that they begin."""
    takes = {
        OURS: lambda: printed("hub_start", servers)[measure],
        FLOOR: lambda: printed("hub_floor", servers, "--start")[measure],
    }
    samples = by_turns(takes, rounds)
    return Line(name, *beside(samples, FLOOR), samples.ratio(OURS, FLOOR), bound)


def whole_start(name: str, other: Hub, servers: Sequence[Server], rounds: int) -> Line:
    """Ours and another from the start of the process to an answered call of each server."""
    names = names_of(servers)

    def mine() -> float:
        begin = time.perf_counter()
        with gleitzeit(servers) as host:
            return answered(host, names, begin)

    def theirs() -> float:
        begin = time.perf_counter()
        with Host(other) as host:
            return answered(host, names, begin)

    samples = by_turns({OURS: mine, THEIRS: theirs}, rounds)
    return Line(f"whole process, each called once / {name}", *beside(samples, THEIRS), samples.ratio(OURS, THEIRS))


def answered(host: Host, names: Sequence[str], begin: float) -> float:
    """Seconds until one call of each server is answered."""
    host.at_once(names, len(names), len(names))
    return time.perf_counter() - begin


def printed(program: str, servers: Sequence[Server], *arguments: str) -> dict[str, float]:
    """What another program of this room prints: seconds by the clock and of CPU."""
    command = [sys.executable, "-m", f"benchmarks.{program}", hubs.as_argument(servers), *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout
    taken: dict[str, float] = json.loads(output)
    return taken


def endurance(extent: Extent) -> Section:
    """What many calls leave behind."""
    servers = hubs.several(MANY)
    names = names_of(servers)
    with gleitzeit(servers) as host:
        host.at_once(names, extent.settled, WIDTH)
        before, processes = process_table.resident(host.process), running(host, servers)
        host.at_once(names, extent.many - extent.settled, WIDTH)
        after = process_table.resident(host.process)
    with gleitzeit(servers) as host:
        host.at_once(names, extent.counted, WIDTH)
        counted = running(host, servers)
    growth = f"MB resident, call {extent.settled:,} to {extent.many:,}"
    lines = [
        Line(growth, after, before, after - before, GROWTH_BOUND),
        exactly(f"processes of {MANY} servers, {extent.settled:,} calls", processes, MANY),
        exactly(f"processes of {MANY} servers, {extent.counted:,} calls", counted, MANY),
    ]
    return Section("Endurance", ("after", "before", "measured"), lines)


def exactly(name: str, count: int, wanted: int) -> Line:
    """A count that may be neither more nor less."""
    sense: Literal["at most", "at least"] = "at least" if count < wanted else "at most"
    return Line(name, measure=count, bound=wanted, sense=sense)


def running(host: Host, servers: Sequence[Server]) -> int:
    """How many processes of the servers run below the hub."""
    commands = {tuple(server.command) for server in servers}
    below = process_table.descendants(host.process)
    return sum(tuple(process_table.command(process)) in commands for process in below)


def beside_a_silent_server(extent: Extent) -> Section:
    """What 19 servers lose by a twentieth that never answers."""
    well = hubs.several(MANY - 1)
    spoiled = [Server("silent", silent=True), *well]
    names = names_of(well)
    takes = {
        THEIRS: lambda: printed("hub_start", well, *names)["wall"],
        OURS: lambda: printed("hub_start", spoiled, *names)["wall"],
    }
    started = by_turns(takes, extent.starts)
    with gleitzeit(spoiled) as with_it, gleitzeit(well) as without_it:
        first = {OURS: with_it, THEIRS: without_it}
        for host in first.values():
            host.one_by_one("s0", extent.warming)
        called = by_turns({key: wall_of_calls(host, extent) for key, host in first.items()}, extent.rounds)
    lines = [
        Line("seconds until 19 are ready", *beside(started, THEIRS), started.ratio(OURS, THEIRS)),
        Line("ms a call takes by the clock", *beside(called, THEIRS), called.ratio(OURS, THEIRS)),
    ]
    return Section("Beside one silent server", ("with it", "without", "ratio"), lines)


def wall_of_calls(host: Host, extent: Extent) -> Take:
    """Milliseconds a call takes, one after the other."""
    return lambda: host.one_by_one("s0", extent.calls).wall / extent.calls * 1e3


def main() -> None:
    """Measure and print."""
    options = parser_of(__doc__, peers="leave FastMCP out").parse_args()
    extent = QUICK if options.quick else Extent()
    if options.rounds:
        extent = replace(extent, rounds=options.rounds, starts=options.rounds)
    sections = measured(extent, with_peers=not options.no_peers)
    show(sections, options)


def measured(extent: Extent, with_peers: bool) -> Sequence[Section]:
    """All of it, or the reason why there is nothing to show."""
    if not process_table.is_there():
        return [Section("Hub", ("ours", "other", "ratio"), [Line("not measured", note="this system has no /proc")])]
    sections = [against_the_floor(extent), start(extent, with_peers), endurance(extent), beside_a_silent_server(extent)]
    return [against_fastmcp(extent), *sections] if with_peers else sections


if __name__ == "__main__":
    main()
