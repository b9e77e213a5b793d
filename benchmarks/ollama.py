"""What the pool of Ollama nodes costs beside raw HTTP, how well it fills its nodes, and how often it loads models.

    python -m benchmarks.ollama [--json] [--quick] [--rounds N]

The nodes are fakes in processes of their own, whose models cost nothing or a fixed time. Reloads are counted on two
real nodes, where GLEITZEIT_TEST_OLLAMA names them; with OLLAMA_MAX_LOADED_MODELS=1 they have most to lose. Ours and
raw `httpx2` take turns, call by call. A measurement is no test: the exit code is 0.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio
from tests.providers.ollama.fake.process import fake_nodes

from benchmarks.callers import Caller, Took, alternating, cpu_of, pooled, provided, raw
from benchmarks.crowd import loads_of, makespan, mixed, split, work_of
from benchmarks.options import parser_of, show
from benchmarks.table import Line, Section

MODEL = "tiny:latest"
COLUMNS = ("ours", "raw", "measured")

CALL_BOUND = 1.0
FIRST_BOUND = 2.0
SHARE_BOUND = 0.95

SERVICE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    calls: int = 300
    rounds: int = 5
    requests: int = 400
    mixed: int = 60


QUICK = Extent(calls=20, rounds=1, requests=40, mixed=8)


async def beside_raw(extent: Extent) -> Section:
    """One call after the other, to one node that answers at once."""
    with fake_nodes(1, "--model", "tiny", "--warm", "tiny", "--parallel", "64") as nodes:
        url = nodes[0].url
        async with raw(url) as least, pooled([url]) as ours, provided([url]) as whole:
            lines = await paired(extent, ours, least, "the pool", bounded=True)
            lines += await paired(extent, whole, least, "the whole provider", bounded=False)
    return Section("Milliseconds of a streamed call beside raw httpx2", COLUMNS, lines)


async def paired(extent: Extent, ours: Caller, least: Caller, name: str, *, bounded: bool) -> list[Line]:
    """By the clock, until the first token, and in CPU time."""
    pairs = [await alternating(ours, least, MODEL, extent.calls) for _ in range(extent.rounds)]
    cpus = [
        (await cpu_of(ours, MODEL, extent.calls), await cpu_of(least, MODEL, extent.calls))
        for _ in range(extent.rounds)
    ]
    totals = [(middle(mine, "total"), middle(theirs, "total")) for mine, theirs in pairs]
    firsts = [(middle(mine, "first"), middle(theirs, "first")) for mine, theirs in pairs]
    return [
        more(f"{name}, by the clock", totals, CALL_BOUND if bounded else None),
        more(f"{name}, first token later by", firsts, FIRST_BOUND if bounded else None),
        more(f"{name}, CPU", cpus, CALL_BOUND if bounded else None),
    ]


def middle(taken: Sequence[Took], what: str) -> float:
    """The median, in milliseconds."""
    return statistics.median(float(getattr(took, what)) for took in taken) * 1e3


def more(name: str, pairs: Sequence[Sequence[float]], bound: float | None) -> Line:
    """What ours takes more than the other: the median of the differences round by round."""
    ours, other = (statistics.median(values) for values in zip(*pairs, strict=True))
    return Line(name, ours, other, statistics.median(mine - theirs for mine, theirs in pairs), bound)


async def a_full_pool(extent: Extent) -> Section:
    """All requests at once, on four nodes that do one at a time, each in the same time."""
    lines: list[Line] = []
    arguments = ("--model", "tiny", "--warm", "tiny", "--prompt-seconds", str(SERVICE_SECONDS))
    with fake_nodes(4, *arguments) as nodes:
        urls = [node.url for node in nodes]
        async with raw(*urls) as least:
            ideal = await work_of(least, MODEL) * extent.requests / len(urls)
            floor = await split(urls, MODEL, extent.requests)
        lines.append(Line("raw httpx2, a quarter for each node", floor, ideal, ideal / floor))
        for name, slots in (("max_parallel: 1", 1), ("max_parallel found out", None)):
            async with pooled(urls, max_parallel=slots) as pool:
                await makespan(pool, MODEL, len(urls) * 2)
                taken = await makespan(pool, MODEL, extent.requests)
            lines.append(Line(name, taken, ideal, ideal / taken, SHARE_BOUND, "at least"))
    return Section(
        f"Seconds, {extent.requests} requests on four nodes with one slot", ("ours", "ideal", "share"), lines
    )


async def real_reloads(extent: Extent) -> Section:
    """Two models that take turns by chance, on two real nodes: how often each way has them loaded."""
    columns = ("ours", "in turn", "share")
    urls = [url.strip() for url in os.environ.get("GLEITZEIT_TEST_OLLAMA", "").split(",") if url.strip()][:2]
    if len(urls) < 2:
        note = "GLEITZEIT_TEST_OLLAMA does not name two servers"
        return Section("Reloads on two real nodes", columns, [Line("not measured", note=note)])
    order = mixed(["gemma3:270m", "smollm2:135m"], extent.mixed)
    async with raw(*urls) as in_turn, pooled(urls) as pool:
        theirs = await loads_of(in_turn, order, urls)
        ours = await loads_of(pool, order, urls)
    lines = [
        Line(f"loads, {extent.mixed} requests, 4 at once", ours.loads, theirs.loads, ours.loads / theirs.loads, 0.99),
        Line("seconds", ours.seconds, theirs.seconds, ours.seconds / theirs.seconds),
    ]
    return Section("Reloads on two real nodes", columns, lines)


async def measured(extent: Extent) -> Sequence[Section]:
    """All of it."""
    return [await beside_raw(extent), await a_full_pool(extent), await real_reloads(extent)]


def main() -> None:
    """Measure and print."""
    options = parser_of(__doc__).parse_args()
    extent = QUICK if options.quick else Extent()
    if options.rounds:
        extent = replace(extent, rounds=options.rounds)
    sections = anyio.run(measured, extent)
    show(sections, options)


if __name__ == "__main__":
    main()
