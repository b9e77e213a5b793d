"""Which process carries a run out: signs of life, claims, and what is asked of whom."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gleitzeit.core.models import OVER
from gleitzeit.store.base import Orphan, Owner, Request
from gleitzeit.store.owners import living
from gleitzeit.store.sqlite.packing import methods_of, to_text
from gleitzeit.store.sqlite.queries import QUERIES


@dataclass(frozen=True, slots=True)
class Pulse:
    """The clock of leases, how long one lasts, and how often it is renewed."""

    uptime: Callable[[], float]
    lease: float
    heartbeat: float


def beat(connection: sqlite3.Connection, owner: Owner, now: float) -> None:
    """A sign of life."""
    connection.execute(QUERIES["beat"], (owner.id, owner.boot, owner.pid, owner.process, now))


def leave(connection: sqlite3.Connection, owner: Owner) -> None:
    """Give up all runs, and be nobody any more."""
    connection.execute(QUERIES["release_all"], (owner.id,))
    connection.execute(QUERIES["delete_owner"], (owner.id,))


def forget_gone(connection: sqlite3.Connection, here: Owner, pulse: Pulse) -> None:
    """Forget processes that are gone, where no open run names them."""
    beats = _beats(connection)
    gone = {owner.id for owner, _ in beats} - living(beats, here, pulse.uptime(), pulse.lease)
    connection.executemany(QUERIES["delete_owner"], [(one,) for one in gone])


def living_owners(connection: sqlite3.Connection, here: Owner, pulse: Pulse) -> frozenset[str]:
    """The processes that may carry runs out now, this one among them."""
    return living(_beats(connection), here, pulse.uptime(), pulse.lease)


def known_owners(connection: sqlite3.Connection) -> frozenset[str]:
    """All processes that gave a sign of life and were not forgotten."""
    return frozenset(owner.id for owner, _ in _beats(connection))


def _beats(connection: sqlite3.Connection) -> Sequence[tuple[Owner, float]]:
    return [(Owner(*row[:4]), row[4]) for row in connection.execute(QUERIES["select_owners"])]


def claim(connection: sqlite3.Connection, run_id: str, here: Owner, pulse: Pulse) -> bool:
    """Take a run and its open descendants, unless it is over or a living process has it."""
    row = connection.execute(QUERIES["find_claim"], (run_id,)).fetchone()
    if row is None:
        return False
    _, state, owner, root = row
    if state in OVER or (owner not in (None, here.id) and owner in living_owners(connection, here, pulse)):
        return False
    family = connection.execute(QUERIES["select_family"], (root,)).fetchall()
    beat(connection, here, pulse.uptime())  # else another one that is as quick might think it is free again
    taken = [run_id, *descendants(run_id, [(one, parent) for _, one, parent in family])]
    connection.executemany(QUERIES["claim_run"], [(here.id, one) for one in taken])
    return True


def descendants(run_id: str, family: Sequence[tuple[str, str]]) -> list[str]:
    """Those of a family, each with its parent, that descend from a run."""
    children: dict[str, list[str]] = {}
    for one, parent in family:
        children.setdefault(parent, []).append(one)
    found = [run_id]
    for one in found:
        found += children.get(one, ())
    return found[1:]


def orphans(
    connection: sqlite3.Connection, here: Owner, pulse: Pulse, after: str | None, limit: int
) -> Sequence[Orphan]:
    """Open runs in nobody's hands."""
    living = json.dumps(sorted(living_owners(connection, here, pulse)))
    rows = connection.execute(QUERIES["select_orphans"], {"after": after, "living": living, "limit": limit})
    return [Orphan(run_id, methods_of(workflow)) for run_id, workflow in rows]


def owned(connection: sqlite3.Connection, owner: str) -> Mapping[str, int]:
    """The open runs of a process, and their epochs."""
    return dict(connection.execute(QUERIES["select_owned"], (owner,)).fetchall())


def request(connection: sqlite3.Connection, wanted: Request) -> None:
    """Leave a request where the run is still open."""
    body = to_text(wanted.body) if wanted.body else None
    connection.execute(QUERIES["insert_request"], (wanted.kind, body, wanted.run_id))


def requests(connection: sqlite3.Connection, owner: str) -> Sequence[Request]:
    """What is asked of a process."""
    rows = connection.execute(QUERIES["select_requests"], (owner,))
    return [Request(run_id, kind, json.loads(body) if body else {}) for run_id, kind, body in rows]
