"""Hostile code does not get through, as seen from outside: code can lie, or be killed before it tells."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.security.canaries import Canaries
from tests.security.cases.case import ESCAPED, Case
from tests.security.conftest import WHOLE, Runners
from tests.security.corpus import CASES
from tests.security.left_open import OPEN, reason_of
from tests.security.runners import NOBODY, SELF, Observed, Place

TIMEOUT = 3.0
GRACE = 2.0
EVERY = 5
TIERS = ("ns", "ll", "docker", "wasm") if WHOLE else ("ns", "ll")
PLACES = [Place(tier, user) for user in (SELF, NOBODY) for tier in TIERS]


def _chosen() -> list[tuple[Place, Case]]:
    """All cases in the usual place, and in the others a few, each time other ones; all of them in a run of its own."""
    chosen: list[tuple[Place, Case]] = []
    for number, place in enumerate(PLACES):
        chosen += [(place, case) for case in (CASES if WHOLE or number == 0 else CASES[number::EVERY])]
    return chosen


def _shown(value: Place | Case) -> str:
    return value.name if isinstance(value, Case) else str(value)


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("place", "case"), _chosen(), ids=_shown)
def test_a_case_does_not_get_through(
    place: Place, case: Case, runners: Runners, record_property: Callable[[str, object], None]
) -> None:
    runner, reason = runners.at(place), reason_of(case, place.tier)
    if reason is not None:
        record_property("open", reason)
    for _ in range(case.times):
        observed = runner.run(case.code, timeout=TIMEOUT, env=case.env)
        assert _outside(observed) == []
        if reason is None:
            assert _inside(case, observed) == [], (observed.output + observed.error)[-2000:]
    assert runner.run("print(1 + 1)", timeout=30).output == "2\n"


def _inside(case: Case, observed: Observed) -> list[str]:
    found = [line for line in observed.output.splitlines() if ESCAPED in line]
    if case.works and not observed.succeeded:
        found.append(f"it did not succeed: {observed.error}")
    return found


def _outside(observed: Observed) -> list[str]:
    found = list(observed.hits)
    if observed.seconds > TIMEOUT + GRACE:
        found.append(f"it took {observed.seconds:.1f} s")
    if observed.left:
        found.append(f"{observed.left} processes are left")
    return found


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_only_cases_that_there_are_are_left_open() -> None:
    assert {name for known in OPEN.values() for name in known} <= {case.name for case in CASES}


def test_the_canaries_are_alive(alive: Canaries) -> None:
    """Code that nothing keeps in reaches all of them; else their silence would prove nothing."""
    exec(_REACH_ALL, {"args": alive.addresses})
    assert {line.split(" ")[0] for line in alive.hits()} >= {"tcp", "udp", "unix", "abstract", "signal"}
    assert alive.hits() == []


_REACH_ALL = """
import os, signal, socket
def to(family, kind, address):
    with socket.socket(family, kind) as one:
        one.connect(address)
        one.send(b"x")
to(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", args["tcp"]))
to(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", args["udp"]))
to(socket.AF_UNIX, socket.SOCK_STREAM, args["folder"] + "/docker.sock")
to(socket.AF_UNIX, socket.SOCK_DGRAM, args["folder"] + "/log.sock")
to(socket.AF_UNIX, socket.SOCK_STREAM, "\\0" + args["abstract"])
to(socket.AF_UNIX, socket.SOCK_DGRAM, "\\0" + args["abstract"] + "-datagrams")
os.kill(args["server"], signal.SIGUSR1)
"""
