"""Compare the router of the Ollama pool with the usual ones, in all scenarios, side by side.

    python -m benchmarks.routing [--held-out] [--only WORDS] [--json]

On a virtual clock, so that the numbers are the same on any machine. Takes half a minute.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from benchmarks.routing.ours import Dispatched
from benchmarks.routing.scenarios import HELD_OUT, SCENARIOS, SEEDS, Scenario
from benchmarks.routing.trial import Maker, Outcome, outcome
from benchmarks.routing.yardsticks import YARDSTICKS

OURS = "ours"
ROUTERS: Mapping[str, Maker] = {OURS: Dispatched, **YARDSTICKS}
MEASURES = {"mean": "seconds, mean", "p95": "seconds, 95th percentile"}
BOUND = 1.02


@dataclass(frozen=True, slots=True)
class Row:
    """One scenario: what each router made of it, on the average of the seeds."""

    scenario: str
    outcomes: Mapping[str, Outcome]

    def ratio(self, measure: str, router: str) -> float:
        """Ours to another's."""
        return float(getattr(self.outcomes[OURS], measure) / getattr(self.outcomes[router], measure))

    def worst(self, measure: str) -> float:
        """Ours to the best of the others."""
        return max(self.ratio(measure, router) for router in YARDSTICKS)


def averaged(outcomes: Sequence[Outcome]) -> Outcome:
    """The outcomes of several seeds as one."""
    return Outcome(
        statistics.fmean(one.mean for one in outcomes),
        statistics.fmean(one.p95 for one in outcomes),
        statistics.fmean(one.loads for one in outcomes),
    )


def measured(scenario: Scenario, seeds: Sequence[int]) -> Row:
    """All routers in one scenario."""
    return Row(
        scenario.name,
        {name: averaged([outcome(scenario, seed, make) for seed in seeds]) for name, make in ROUTERS.items()},
    )


def as_text(rows: Sequence[Row]) -> str:
    """A table for each measure, and how many models were loaded."""
    parts = [
        "\n".join([_heading(title), *(_line(row, measure) for row in rows), *_summary(rows, measure)])
        for measure, title in MEASURES.items()
    ]
    loads = [
        f"  {row.scenario:<42}" + "".join(f"{row.outcomes[name].loads:>19.1f}" for name in ROUTERS) for row in rows
    ]
    return "\n\n".join([*parts, "\n".join([_heading("models loaded"), *loads])])


def _heading(title: str) -> str:
    return f"{title:<44}" + "".join(f"{name:>19}" for name in ROUTERS) + f"{'ours / best':>14}"


def _line(row: Row, measure: str) -> str:
    cells = "".join(f"{getattr(row.outcomes[name], measure):>19.2f}" for name in ROUTERS)
    worst = row.worst(measure)
    return f"  {row.scenario:<42}{cells}{worst:>14.3f}" + ("" if worst <= BOUND else "  OVER")


def _summary(rows: Sequence[Row], measure: str) -> list[str]:
    ratios = "".join(f"{statistics.fmean(row.ratio(measure, name) for row in rows):>19.3f}" for name in YARDSTICKS)
    worst = statistics.fmean(row.worst(measure) for row in rows)
    return [f"  {'ours / this, on the average of scenarios':<42}{'':>19}{ratios}{worst:>14.3f}"]


def as_json(rows: Sequence[Row]) -> str:
    """All of it as data."""
    data = [
        {
            "scenario": row.scenario,
            "outcomes": {name: asdict(one) for name, one in row.outcomes.items()},
            **{f"{measure}_to_best": row.worst(measure) for measure in MEASURES},
        }
        for row in rows
    ]
    return json.dumps(data, indent=2)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--held-out", action="store_true", help="other seeds, that nothing was chosen by")
    parser.add_argument("--only", default="", help="scenarios with these words in their names")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    chosen = [scenario for scenario in SCENARIOS if options.only in scenario.name]
    rows = [measured(scenario, HELD_OUT if options.held_out else SEEDS) for scenario in chosen]
    print(as_json(rows) if options.json else as_text(rows))


if __name__ == "__main__":
    main()
