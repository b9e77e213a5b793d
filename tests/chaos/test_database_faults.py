"""The database fails under a running server: nothing acknowledged is lost, and it goes on once the cause is gone."""

from __future__ import annotations

import resource
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import anyio
import pytest
from tests.chaos.clients import all_over, held, submitted
from tests.chaos.documents import gated
from tests.chaos.processes import Fleet, Server
from tests.chaos.verdict import check_consistency, check_executions, check_integrity, everything
from tests.chaos.wal import freeze
from tests.chaos.witness import Witness

from gleitzeit.core.errors import StoreError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

SIMPLE = {"name": "simple", "tasks": [{"id": "a", "method": "chaos/step", "parameters": {"value": "a"}}]}


class Trouble:
    """A running server with work under way, as its database fails and works again."""

    def __init__(self, server: Server, witness: Witness) -> None:
        self.server = server
        self._witness = witness
        self.accepted: list[str] = []
        self.refusals: list[str] = []

    async def begin(self) -> None:
        """Have runs that are over, and some that are held at a gate."""
        self.accepted += await submitted(self.server, SIMPLE, 5)
        await all_over(self.server, self.accepted)
        gates = await submitted(self.server, gated("gate"), 5)
        await held(self._witness, gates, self.server.pid)
        self.accepted += gates

    async def until_refused(self) -> None:
        """Submit until that is refused with an error that says what is wrong, while tasks end in the middle of it."""
        await self.server.ask("open", gate="gate")
        with anyio.fail_after(30):
            while not self.refusals:
                try:
                    self.accepted += await submitted(self.server, SIMPLE)
                except StoreError as error:
                    self.refusals.append(str(error))
                    retryable = error.retryable
                    assert retryable, self.refusals

    async def recover(self) -> None:
        """Submit until that is accepted again, and see everything to its end."""
        await self.server.ask("open", gate="gate")
        with anyio.fail_after(30):
            while True:
                with suppress(StoreError):
                    self.accepted += await submitted(self.server, SIMPLE)
                    break
                await anyio.sleep(0.05)
        ends = await all_over(self.server, self.accepted)
        assert {run["status"] for run in ends.values()} == {"completed"}, ends


async def judge(trouble: Trouble, database: Path, witness: Witness) -> None:
    """Whether the file has everything that was accepted, done once."""
    check_integrity(database)
    runs = await everything(database)
    assert set(trouble.accepted) <= runs.keys()
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
    starts = [(line.run, line.task) for line in witness.starts()]
    assert len(starts) == len(set(starts)), "a task was carried out again although no process ended"


async def test_locked_by_another_program(fleet: Fleet, witness: Witness) -> None:
    trouble = Trouble(await fleet.start(), witness)
    await trouble.begin()
    with closing(sqlite3.connect(fleet.setup.database, isolation_level=None)) as stranger:
        stranger.execute("begin exclusive")
        [known] = trouble.accepted[:1]
        assert (await trouble.server.ask("get", run_id=known))["status"] == "completed"
        await trouble.until_refused()
        stranger.execute("rollback")
    await trouble.recover()
    assert all("lock" in refusal for refusal in trouble.refusals)
    assert await trouble.server.leave() == 0, fleet.said(trouble.server)
    await judge(trouble, fleet.setup.database, witness)


async def test_a_file_that_may_not_grow(fleet: Fleet, witness: Witness) -> None:
    trouble = Trouble(await fleet.start(), witness)
    await trouble.begin()
    log = fleet.setup.database.with_name(fleet.setup.database.name + "-wal")
    limits = resource.prlimit(trouble.server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(trouble.server.pid, resource.RLIMIT_FSIZE, (log.stat().st_size + 8192, limits[1]))
    await trouble.until_refused()
    resource.prlimit(trouble.server.pid, resource.RLIMIT_FSIZE, limits)
    await trouble.recover()
    assert await trouble.server.leave() == 0, fleet.said(trouble.server)
    await judge(trouble, fleet.setup.database, witness)


@asynccontextmanager
async def small_disk(fleet: Fleet, folder: Path) -> AsyncGenerator[tuple[Server, Path]]:
    """A server with its database on a disk of its own of 4 MiB, and the folder by which others see that disk."""
    await anyio.Path(folder).mkdir()
    command = f'mount -t tmpfs -o size=4m none "{folder}" && exec "$0" "$@"'
    wrapper = ("unshare", "--map-root-user", "--mount", "sh", "-c", command)
    server = await fleet.launch(wrapper=wrapper, database=str(folder / "gleitzeit.db"))
    await fleet.until_ready(server)
    yield server, Path(f"/proc/{server.pid}/root") / folder.relative_to("/")


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as filler, suppress(OSError):
        while True:
            filler.write(bytes(4096))


async def disks_can_be_mounted() -> bool:
    try:
        probe = ("unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt")
        return (await anyio.run_process(probe, check=False)).returncode == 0
    except OSError:
        return False


async def test_a_full_disk(fleet: Fleet, witness: Witness, tmp_path: Path) -> None:
    if not await disks_can_be_mounted():
        pytest.skip("this system lets nobody mount a disk in a namespace of one's own")
    async with small_disk(fleet, tmp_path / "disk") as (server, disk):
        trouble = Trouble(server, witness)
        await trouble.begin()
        fill(disk / "filler")
        await trouble.until_refused()
        (disk / "filler").unlink()
        await trouble.recover()
        assert all("disk" in refusal for refusal in trouble.refusals)
        await server.stop()
        frozen = freeze(disk / "gleitzeit.db", tmp_path / "copy")
        server.go_on()
        assert await server.leave() == 0, fleet.said(server)
    await judge(trouble, frozen.database, witness)


def files(database: Path) -> list[Path]:
    """The database with what belongs to it."""
    return [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm")]


async def test_a_file_that_was_deleted_is_there_again(fleet: Fleet, witness: Witness) -> None:
    trouble = Trouble(await fleet.start(), witness)
    await trouble.begin()
    for file in files(fleet.setup.database):
        file.unlink()
    await trouble.recover()
    assert await trouble.server.leave() == 0, fleet.said(trouble.server)
    await judge(trouble, fleet.setup.database, witness)


async def test_a_file_that_was_moved_away_and_comes_back_has_all_that_was_accepted_meanwhile(
    fleet: Fleet, witness: Witness
) -> None:
    trouble = Trouble(await fleet.start(), witness)
    await trouble.begin()
    away = fleet.setup.database.with_name("away.db")
    fleet.setup.database.rename(away)
    await trouble.recover()
    away.rename(fleet.setup.database)
    await trouble.recover()
    assert await trouble.server.leave() == 0, fleet.said(trouble.server)
    await judge(trouble, fleet.setup.database, witness)
