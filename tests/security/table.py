"""Runs all attacks, and shows in a table what each tier holds.

    python -m tests.security.table [options of pytest]

The exit code is 1 where something got through that is not known to.
"""

from __future__ import annotations

import getpass
import os
import sys
from collections import defaultdict
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest

Verdict = Literal["held", "open", "broken", "absent"]

TIERS = ("ns", "ll", "docker", "wasm")
SELF = "as it is"
_SELF = getpass.getuser()


@dataclass(frozen=True)
class Attack:
    """One attack in one place, and what became of it; `why` it is open, or could not be tried."""

    kind: str
    name: str
    tier: str
    user: str
    verdict: Verdict
    why: str = ""


@dataclass
class Record:
    """Listens to the tests: one that passes has held an attack, unless it says itself that it is known to be open."""

    attacks: list[Attack] = field(default_factory=list[Attack])
    others: list[str] = field(default_factory=list[str])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep what became of a test."""
        report = yield
        if report.when == "call" or report.outcome != "passed":
            self._keep(item, report)
        return report

    def _keep(self, item: pytest.Item, report: pytest.TestReport) -> None:
        place = _place(item)
        if place is None:
            if report.failed:
                self.others.append(item.nodeid)
            return
        kind, name, tier, user = place
        verdict, why = _verdict(report)
        self.attacks.append(Attack(kind, name, tier, user, verdict, why))


def _place(item: pytest.Item) -> tuple[str, str, str, str] | None:
    """What a test goes for, its name, the tier and the user; nothing for a test of the tests."""
    parameters: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
    place, case = parameters.get("place"), parameters.get("case")
    tier, user = (place.tier, place.user) if place is not None else (parameters.get("tier"), SELF)
    if tier is None:
        return None
    if case is not None:
        from tests.security.corpus import kind_of

        return kind_of(case), case.name, tier, user
    kind = getattr(getattr(item, "module", None), "KIND", "others")
    return kind, item.name.partition("[")[0].removeprefix("test_").replace("_", " "), tier, user


def _verdict(report: pytest.TestReport) -> tuple[Verdict, str]:
    if report.skipped:
        told = report.longrepr
        return "absent", str(told[2] if isinstance(told, tuple) else told).removeprefix("Skipped: ")
    if report.failed:
        return "broken", ""
    why = next((str(value) for name, value in report.user_properties if name == "open"), "")
    return ("open", why) if why else ("held", "")


def markdown(attacks: Sequence[Attack]) -> str:
    """The table, what is left open, and what could not be tried."""
    columns = [column for tier in TIERS for column in _columns(attacks, tier)]
    lines = [f"| held of | {' | '.join(column.title for column in columns)} |", f"|---|{'---|' * len(columns)}"]
    for kind in dict.fromkeys(attack.kind for attack in attacks):
        cells = [_count(attack for attack in column.attacks if attack.kind == kind) for column in columns]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    lines.append(f"| **all** | {' | '.join(_count(column.attacks) for column in columns)} |")
    return "\n".join([*lines, "", *_openings(attacks), *_absent(attacks), summary(attacks)])


@dataclass(frozen=True)
class Column:
    """A tier, as one user, or as several for whom all is alike."""

    title: str
    attacks: Sequence[Attack]


def _columns(attacks: Sequence[Attack], tier: str) -> list[Column]:
    own = _tried(attacks, tier, SELF)
    others = {user: _tried(attacks, tier, user) for user in dict.fromkeys(a.user for a in attacks) if user != SELF}
    known = {attack.name: attack.verdict for attack in own}
    alike = [user for user, tried in others.items() if tried and all(known.get(a.name) == a.verdict for a in tried)]
    columns = [Column(f"`{tier}` as {' and '.join([_SELF, *alike])}", own)] if own else []
    return columns + [
        Column(f"`{tier}` as {user}", tried) for user, tried in others.items() if tried and user not in alike
    ]


def _tried(attacks: Iterable[Attack], tier: str, user: str) -> list[Attack]:
    return [attack for attack in attacks if (attack.tier, attack.user) == (tier, user) and attack.verdict != "absent"]


def summary(attacks: Sequence[Attack]) -> str:
    """One line on all of it."""
    counts = {verdict: sum(attack.verdict == verdict for attack in attacks) for verdict in ("held", "open", "broken")}
    through = "none got through unexpectedly" if not counts["broken"] else f"**{counts['broken']} got through**"
    places = len({(attack.tier, attack.user) for attack in attacks if attack.verdict != "absent"})
    return f"{counts['held']:,} attacks held in {places} places, {counts['open']} known to be open, {through}."


def _count(attacks: Iterable[Attack]) -> str:
    tried = list(attacks)
    held = sum(attack.verdict == "held" for attack in tried)
    broken = sum(attack.verdict == "broken" for attack in tried)
    return "-" if not tried else f"{held} of {len(tried)}" + (f", **{broken} through**" if broken else "")


def _openings(attacks: Sequence[Attack]) -> list[str]:
    lines: list[str] = []
    for tier in TIERS:
        reasons: defaultdict[str, dict[str, None]] = defaultdict(dict)
        for attack in attacks:
            if attack.tier == tier and attack.verdict == "open":
                reasons[attack.why][attack.name] = None
        told = "; ".join(f"{why} ({', '.join(names)})" for why, names in reasons.items())
        lines += [f"Left open by `{tier}`: {told}.", ""] if told else []
    broken = sorted(
        {f"{attack.name} ({attack.tier} as {attack.user})" for attack in attacks if attack.verdict == "broken"}
    )
    return lines + ([f"**Got through: {'; '.join(broken)}.**", ""] if broken else [])


def _absent(attacks: Sequence[Attack]) -> list[str]:
    reasons: dict[str, None] = {}
    for attack in attacks:
        if attack.verdict == "absent":
            who = "" if attack.user == SELF else f" as {attack.user}"
            reasons[f"`{attack.tier}`{who}: {attack.why}"] = None
    return [f"Not tried here: {'; '.join(reasons)}.", ""] if reasons else []


def main() -> int:
    """Run and print."""
    os.environ["GLEITZEIT_SECURITY"] = "full"
    record = Record()
    told = pytest.main([str(Path(__file__).parent), "-q", *sys.argv[1:]], plugins=[record])
    print(f"\n{markdown(record.attacks)}")  # noqa: T201 its output is what it is for
    broken = any(attack.verdict == "broken" for attack in record.attacks)
    return 1 if broken or record.others or told not in (0, 1) else 0


if __name__ == "__main__":
    sys.exit(main())
