"""Compiled code is kept by content, and never read by the host."""

from __future__ import annotations

import marshal
from typing import Any, NoReturn

import anyio
import pytest

from gleitzeit_python.kernel.compiled import SHORTEST, CompiledCode
from gleitzeit_python.kernel.sandbox import KernelSandbox, KernelSettings
from gleitzeit_python.sandbox.base import Job, Silent


def long(code: str) -> str:
    return code + "\n#" + "x" * SHORTEST


def test_it_is_kept_by_content_name_and_kind() -> None:
    kept, job = CompiledCode(), Job(long("x = 1"))
    assert [kept.saw(job) for _ in range(4)] == [False, True, False, False]
    assert kept.of(job) is None
    kept.keep(job, "text")
    assert kept.of(job) == "text"
    assert kept.of(Job(long("x = 2"))) is None
    assert kept.of(Job(long("x = 1"), mode="script")) is None
    assert not kept.saw(Job("short"))


def test_it_does_not_grow_without_end() -> None:
    kept = CompiledCode()
    for number in range(300):
        kept.keep(Job(long(f"x = {number}")), "x" * (1 << 20))
    assert kept.of(Job(long("x = 0"))) is None
    assert kept.of(Job(long("x = 299"))) is not None
    assert len(kept._kept) <= 32  # pyright: ignore[reportPrivateUsage]


@pytest.mark.anyio
async def test_a_later_run_uses_it_and_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*given: Any) -> NoReturn:
        raise AssertionError("the host reads no compiled code")

    monkeypatch.setattr(marshal, "loads", never)
    job = Job(long("import asyncio\nawait asyncio.sleep(0)\nresult = [args, 1 / args]"), args=2)
    sandbox = KernelSandbox("ns", KernelSettings(standby=2))
    async with sandbox.open():
        first = await sandbox.run(job, Silent())
        assert (await sandbox.run(job, Silent())).value == first.value
        with anyio.fail_after(5):
            while sandbox._compiled.of(job) is None:  # pyright: ignore[reportPrivateUsage]
                await anyio.lowlevel.checkpoint()
        second = await sandbox.run(job, Silent())
        failed = await sandbox.run(Job(job.code, args=0), Silent())
    assert first.value == second.value == [2, 0.5]
    assert failed.problem is not None
    assert 'File "<task>", line 3' in failed.problem.traceback
