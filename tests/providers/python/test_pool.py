"""The zygote and its workers: replaced in time, never used twice, all of them gone in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderError
from gleitzeit_python.kernel.folders import WorkFolders
from gleitzeit_python.kernel.layout import Layout
from gleitzeit_python.kernel.sandbox import KernelSandbox, KernelSettings
from gleitzeit_python.sandbox.base import Job, Limits, Silent

pytestmark = pytest.mark.anyio


async def value(sandbox: KernelSandbox, code: str, **more: Any) -> Any:
    return (await sandbox.run(Job(code, **more), Silent())).value


def pool_of(sandbox: KernelSandbox) -> Any:
    return vars(sandbox)["_pools"]["host"]


def changed(layout: Layout) -> tuple[int, ...]:
    return (len(layout.site_packages), 1)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def folders() -> list[Path]:
    return list(Path(tempfile.gettempdir()).glob(f"gleitzeit-job-{os.getpid()}-*"))


def children() -> set[int]:
    text = Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii")
    return {int(pid) for pid in text.split() if "start.py" in Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8")}


@pytest.mark.parametrize("tier", ["ns", "ll"])
async def test_nothing_is_left_in_the_end(tier: Any) -> None:
    before, open_before = children(), descriptors()
    sandbox = KernelSandbox(tier, KernelSettings(standby=2))
    async with sandbox.open():
        assert await value(sandbox, "open('left', 'w'); result = 1") == 1
        assert children() - before
        assert bool(folders()) == (tier == "ll")
    assert children() == before
    assert descriptors() == open_before
    assert folders() == []


async def test_no_state_goes_from_one_job_to_the_next() -> None:
    sandbox = KernelSandbox("ll", KernelSettings(standby=1))
    code = "import json\nseen = getattr(json, 'mark', None)\njson.mark = 1\nopen('f', 'x').close()\nresult = seen"
    async with sandbox.open():
        assert [await value(sandbox, code) for _ in range(4)] == [None] * 4


async def test_a_zygote_is_replaced_after_so_many_workers() -> None:
    sandbox = KernelSandbox("ll", KernelSettings(standby=1, recycle=3))
    seen: set[int] = set()
    async with sandbox.open():
        for number in range(8):
            assert await value(sandbox, f"result = {number}") == number
            seen.add(pool_of(sandbox).zygote.process.pid)
    assert len(seen) >= 2


async def test_a_zygote_is_replaced_where_packages_have_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = KernelSandbox("ll", KernelSettings(standby=1))
    async with sandbox.open():
        await value(sandbox, "result = 1")
        first = pool_of(sandbox).zygote.process.pid
        monkeypatch.setattr(Layout, "changes", changed)
        assert await value(sandbox, "result = 2") == 2
        assert pool_of(sandbox).zygote.process.pid != first


async def test_the_jobs_of_a_dead_zygote_can_be_tried_again_and_it_is_replaced() -> None:
    sandbox = KernelSandbox("ns", KernelSettings(standby=2))
    errors: list[ProviderError] = []

    async def cut_off() -> None:
        with pytest.raises(ProviderError) as caught:
            await sandbox.run(Job("import time\ntime.sleep(30)", limits=Limits(timeout=30)), Silent())
        errors.append(caught.value)

    async with sandbox.open():
        assert await value(sandbox, "result = 1") == 1
        async with anyio.create_task_group() as group:
            group.start_soon(cut_off)
            while not pool_of(sandbox).zygote.jobs:
                await anyio.lowlevel.checkpoint()
            os.kill(pool_of(sandbox).zygote.process.pid, signal.SIGKILL)
        assert errors[0].retryable
        with anyio.fail_after(10):
            assert await value(sandbox, "result = 2") == 2


async def test_a_worker_that_died_while_it_stood_by_is_passed_over() -> None:
    sandbox = KernelSandbox("ns", KernelSettings(standby=2))
    async with sandbox.open():
        await value(sandbox, "result = 1")
        pool = pool_of(sandbox)
        while pool.standby < 2:
            await anyio.lowlevel.checkpoint()
        dead = pool._standby[0].worker
        dead.kill()
        await anyio.wait_readable(dead.pidfd)
        assert await value(sandbox, "result = 2") == 2


async def test_killing_after_a_timeout_is_quick() -> None:
    sandbox = KernelSandbox("ns")
    async with sandbox.open():
        await value(sandbox, "result = 1")
        outcome = await sandbox.run(Job("while True: pass", limits=Limits(timeout=0.2)), Silent())
    assert outcome.ended == "timeout"
    assert outcome.duration < 2.0


def test_folders_of_dead_servers_are_removed(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as process:
        pass
    dead = tmp_path / f"gleitzeit-job-{process.pid}-123-abc"
    dead.mkdir()
    (dead / "file").write_text("x", encoding="utf-8")
    folders = WorkFolders(tmp_path)
    own, other = Path(folders.name()), Path(WorkFolders(tmp_path).name())
    own.mkdir()
    other.mkdir()
    stranger = tmp_path / "gleitzeit-job-mine"
    stranger.mkdir()
    folders.sweep()
    assert sorted(tmp_path.iterdir()) == sorted([own, other, stranger])
    folders.sweep(own=True)
    assert sorted(tmp_path.iterdir()) == sorted([other, stranger])


async def test_code_that_may_ask_for_nothing_is_ended_where_it_does() -> None:
    sandbox = KernelSandbox("ns")
    code = 'import os, time\nos.write(3, b\'{"id": 1, "call": "a/b", "parameters": {}}\\n\')\ntime.sleep(9)'
    async with sandbox.open():
        outcome = await sandbox.run(Job(code, interactive=False), Silent())
    assert outcome.ended == "forged"
