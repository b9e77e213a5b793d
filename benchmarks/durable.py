"""What durability costs: beside the least that could do it, beside other engines, and as it grows.

    python -m benchmarks.durable [--json] [--quick] [--no-peers] [--rounds N] [--peer-rounds N]

Everything runs in processes of its own that are measured in turns. CPU time is that of all threads of the process, user
and system; a ratio is the median of the ratios round by round. A measurement is no test: the exit code is 0.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

from benchmarks.contender import Shape
from benchmarks.options import parser_of, show
from benchmarks.peers.environment import NotInstalledError, python_of
from benchmarks.rounds import ROOT, ContenderError, Entry, Process, in_turns
from benchmarks.table import Line, Section

CPU = ("us of CPU", "of other", "ratio")
FLOOR_BOUND = 4.0
SHAPES = (Shape.WIDE, Shape.CHAIN, Shape.SINGLE)


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    tasks: int = 1_000
    few: int = 100
    items: int = 100_000
    finished: int = 10_000
    rounds: int = 9
    peer_rounds: int = 3
    repeats: int = 3


QUICK = Extent(tasks=50, few=10, items=500, finished=100, rounds=1, peer_rounds=1, repeats=1)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another engine, and how many times our cost it should be at least, by what it is given."""

    name: str
    module: str
    bounds: Sequence[tuple[Shape, float]]
    chain_of_few: bool = False


PEERS = (
    Peer("DBOS", "dbos", ((Shape.WIDE, 30), (Shape.CHAIN, 10), (Shape.SINGLE, 30))),
    Peer("gleitzeit 0.0.5", "gleitzeit_005", ((Shape.WIDE, 50), (Shape.CHAIN, 50)), chain_of_few=True),
)


def ours() -> Process:
    """Gleitzeit's engine on its SQLite store."""
    return Process("Gleitzeit", [sys.executable, "-m", "benchmarks.ours"])


def against_the_floor(extent: Extent) -> Section:
    """Ours beside the least that could be."""
    with ours() as engine, Process("floor", [sys.executable, "-m", "benchmarks.floor"]) as floor:
        mine = {shape: Entry(engine, shape, extent.tasks) for shape in (*SHAPES, Shape.WIDE_BY_16)}
        least = {shape: Entry(floor, shape, extent.tasks) for shape in SHAPES}
        samples = in_turns([*mine.values(), *least.values()], extent.rounds)
        lines: list[Line] = []
        for shape, entry in mine.items():
            beside = least.get(shape, least[Shape.WIDE])
            bound = FLOOR_BOUND if shape in SHAPES else None
            name = f"{shape}, {extent.tasks:,}"
            lines.append(Line(name, samples.median(entry), samples.median(beside), samples.ratio(entry, beside), bound))
        return Section(f"Against the least that group commit can do ({floor.version}, FULL), a task", CPU, lines)


def against_a_peer(peer: Peer, extent: Extent) -> Section:
    """Ours beside another engine, or the reason why there is nothing to show."""
    title = f"{peer.name}, as a multiple of ours, a task"
    try:
        python = python_of(peer.module)
        with ours() as engine, Process(peer.name, [python, "-E", "-m", f"benchmarks.peers.{peer.module}"]) as other:
            title = f"{other.version} on SQLite, as a multiple of ours, a task"
            return Section(title, CPU, multiples(peer, engine, other, extent))
    except (NotInstalledError, ContenderError) as error:
        return Section(title, CPU, [Line("not measured", note=str(error))])


def multiples(peer: Peer, engine: Process, other: Process, extent: Extent) -> list[Line]:
    """How many times our cost a peer's is."""
    pairs: list[tuple[Entry, Entry, float]] = []
    for shape, bound in peer.bounds:
        tasks = extent.few if peer.chain_of_few and shape is Shape.CHAIN else extent.tasks
        pairs.append((Entry(engine, shape, tasks, extent.repeats), Entry(other, shape, tasks), bound))
    samples = in_turns([entry for mine, theirs, _ in pairs for entry in (mine, theirs)], extent.peer_rounds, warming=50)
    return [
        Line(
            f"{mine.shape}, {mine.tasks:,}",
            samples.median(mine),
            samples.median(theirs),
            samples.ratio(theirs, mine),
            bound,
            "at least",
        )
        for mine, theirs, bound in pairs
    ]


def within(extent: Extent) -> Section:
    """Our own shapes beside each other."""
    with ours() as engine:
        link = Entry(engine, Shape.CHAIN, extent.tasks)
        calls = [Entry(engine, shape, extent.tasks) for shape in (Shape.CALLS, Shape.READS)]
        nested = in_turns([link, *calls], extent.rounds)
        few = Entry(engine, Shape.ITEMS, extent.tasks, extent.repeats)
        many = Entry(engine, Shape.ITEMS, extent.items)
        grown = in_turns([few, many], extent.peer_rounds, warming=extent.tasks)
        lines = [
            Line(f"{call.shape} / chain link", nested.median(call), nested.median(link), nested.ratio(call, link), 2)
            for call in calls
        ]
        name = f"foreach over {extent.items:,} / over {extent.tasks:,}"
        lines.append(Line(name, grown.median(many), grown.median(few), grown.ratio(many, few), 1.5))
        return Section("Within Gleitzeit, a call or an item", CPU, lines)


def growth(extent: Extent) -> Section:
    """What much of it takes."""
    pending = [script("footprint", extent.items) for _ in range(extent.repeats)]
    resident = statistics.median(taken["bytes"] for taken in pending)
    first = statistics.median(taken["first"] for taken in pending)
    full = script("finished", extent.finished)
    lines = [
        Line(f"bytes resident a pending item of {extent.items:,}", measure=resident, bound=2048),
        Line("ms from submit to the first item's start", measure=first * 1e3, bound=1000),
        Line(f"ms for the slowest list of {extent.finished:,} runs", measure=full["list"] * 1e3, bound=50),
        Line(
            f"ms from start to an acknowledged submit, {extent.finished:,} runs",
            full["start"] * 1e3,
            full["start_empty"] * 1e3,
            full["start"] * 1e3,
            50,
        ),
    ]
    return Section("Growth, by the clock", ("with them", "without", "measured"), lines)


def script(name: str, argument: int) -> dict[str, float]:
    """What another program of this room prints, run in a fresh process."""
    command = [sys.executable, "-m", f"benchmarks.{name}", str(argument)]
    printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout
    taken: dict[str, float] = json.loads(printed)
    return taken


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__, peers="leave the other engines out")
    parser.add_argument("--peer-rounds", type=int, default=0)
    options = parser.parse_args()
    extent = QUICK if options.quick else Extent()
    extent = replace(
        extent, rounds=options.rounds or extent.rounds, peer_rounds=options.peer_rounds or extent.peer_rounds
    )
    sections = [against_the_floor(extent), within(extent), growth(extent)]
    if not options.no_peers:
        sections += [against_a_peer(peer, extent) for peer in PEERS]
    show(sections, options)


if __name__ == "__main__":
    main()
