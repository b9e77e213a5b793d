"""Expressions: light ones in place, heavy ones in a process that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ExpressionError
from gleitzeit.core.references import Scope, compile_template
from gleitzeit.engine.evaluator import Evaluator

pytestmark = pytest.mark.anyio

COMMAND = [sys.executable, "-m", "gleitzeit.engine.expression_process"]


@pytest.fixture
async def heavy(anyio_backend: str) -> AsyncIterator[Evaluator]:
    """An evaluator to which everything is heavy."""
    evaluator = Evaluator(light=-1)
    yield evaluator
    await evaluator.close()


def scope(**inputs: Any) -> Scope:
    return Scope(inputs=inputs)


async def resolved(evaluator: Evaluator, value: Any, **inputs: Any) -> Any:
    with anyio.fail_after(20):
        return await evaluator.for_run().resolve(compile_template(value), scope(**inputs))


async def test_a_light_expression_needs_no_process() -> None:
    evaluator = Evaluator()
    assert await resolved(evaluator, ["${inputs.n + 1}", "${inputs.n}"], n=2) == [3, 2]
    assert worker_of(evaluator) is None


async def test_a_heavy_expression_gives_the_same_value_from_the_process(heavy: Evaluator) -> None:
    value = {"n": "${inputs.list.map(x, x + 1)}", "text": "is ${size(inputs.list) > 2}"}
    assert await resolved(heavy, value, list=[1, 2, 3]) == {"n": [2, 3, 4], "text": "is true"}
    first = worker_of(heavy)
    assert await resolved(heavy, "${inputs.n * 2}", n=4) == 8
    assert worker_of(heavy) is first


async def test_an_error_in_the_process_is_an_error_here(heavy: Evaluator) -> None:
    with pytest.raises(ExpressionError) as raised:
        await resolved(heavy, "${1 / inputs.n}", n=0)
    assert raised.value.code == "expression_failed"
    assert await resolved(heavy, "${1 + inputs.n}", n=0) == 1


async def test_an_expression_that_takes_too_long_is_given_up_and_the_process_replaced() -> None:
    evaluator = Evaluator(light=-1)
    await resolved(evaluator, "${inputs.n + 1}", n=1)
    first = worker_of(evaluator)
    slow = Evaluator(light=-1, deadline=0.0)
    with pytest.raises(ExpressionError, match="longer than 0 s") as raised:
        await resolved(slow, "${inputs.n + 1}", n=1)
    assert "let a task compute it" in (raised.value.hint or "")
    assert worker_of(slow) is None
    assert worker_of(evaluator) is first
    await slow.close()
    await evaluator.close()


async def test_a_process_that_dies_fails_one_expression_and_is_replaced(heavy: Evaluator) -> None:
    await resolved(heavy, "${inputs.n + 1}", n=1)
    worker = worker_of(heavy)
    worker.process.kill()
    await worker.process.wait()
    with pytest.raises(ExpressionError, match="may have"):
        await resolved(heavy, "${inputs.n + 1}", n=1)
    assert await resolved(heavy, "${inputs.n + 1}", n=1) == 2


async def test_a_cancelled_question_leaves_no_answer_for_the_next_one(heavy: Evaluator) -> None:
    await resolved(heavy, "${inputs.n + 1}", n=1)
    with anyio.CancelScope() as cancelled:
        cancelled.cancel()
        await resolved(heavy, "${inputs.n + 1}", n=41)
    assert cancelled.cancelled_caught
    assert await resolved(heavy, "${inputs.n + 1}", n=2) == 3


async def test_closing_ends_the_process(heavy: Evaluator) -> None:
    await resolved(heavy, "${inputs.n + 1}", n=1)
    process = worker_of(heavy).process
    await heavy.close()
    assert process.returncode is not None
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_the_process_ends_when_its_parent_closes_the_pipe() -> None:
    asked = json.dumps({"source": "1 + 1", "data": {}})
    ended = subprocess.run(COMMAND, input=asked + "\n", capture_output=True, text=True, timeout=30, check=True)
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [{"ready": True}, {"value": 2}]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
async def test_the_process_dies_with_a_parent_that_is_killed() -> None:
    parent_code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-m', 'gleitzeit.engine.expression_process'],"
        " stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    with anyio.fail_after(30):
        async with await anyio.open_process([sys.executable, "-c", parent_code]) as parent:
            assert parent.stdout is not None
            pid = int(await parent.stdout.receive())
            descriptor = os.pidfd_open(pid)
            parent.kill()
            await anyio.wait_readable(descriptor)
            os.close(descriptor)


async def test_modules_in_the_folder_at_hand_do_not_stand_in_for_those_of_the_library(
    heavy: Evaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("cel", "json", "gleitzeit"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit(f'{__name__} was taken')")
    monkeypatch.chdir(tmp_path)
    assert await resolved(heavy, "${inputs.n + 1}", n=1) == 2


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
async def test_the_process_knows_no_secret_of_the_environment(
    heavy: Evaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_TOKEN", "hunter2")
    await resolved(heavy, "${inputs.n + 1}", n=1)
    environment = await anyio.Path(f"/proc/{worker_of(heavy).process.pid}/environ").read_bytes()
    assert b"hunter2" not in environment


async def test_a_value_that_is_too_large_to_be_sent_is_an_error(heavy: Evaluator) -> None:
    with pytest.raises(ExpressionError, match="larger than"):
        await resolved(heavy, "${inputs.list.map(x, inputs.text)}", list=[0] * 100, text="x" * 50_000)
    assert await resolved(heavy, "${inputs.n + 1}", n=1) == 2


SLOW = "${inputs.list.map(x, inputs.list).size()}"


async def test_a_slow_expression_of_one_run_does_not_keep_another_one_waiting() -> None:
    evaluator = Evaluator(light=-1, deadline=60, budget=60)
    ended: list[Any] = []

    async def slow() -> None:
        ended.append(await resolved(evaluator, SLOW, list=list(range(1000))))

    async with anyio.create_task_group() as group:
        group.start_soon(slow)
        await anyio.wait_all_tasks_blocked()
        assert await resolved(evaluator, "${inputs.n + 1}", n=1) == 2
        assert ended == []
        group.cancel_scope.cancel()
    await evaluator.close()


async def test_the_expressions_of_one_run_have_a_limit_together_and_no_other_run_pays_for_it() -> None:
    evaluator = Evaluator(light=-1, budget=0.05)
    spender = evaluator.for_run()

    async def spend() -> None:
        while True:
            await spender.resolve(compile_template("${inputs.n + 1}"), scope(n=1))

    with anyio.fail_after(20):
        for _ in range(2):
            with pytest.raises(ExpressionError, match=r"longer than 0\.05 s together"):
                await spend()
    assert await resolved(evaluator, "${1 + 1}") == 2
    await evaluator.close()


def worker_of(evaluator: Evaluator) -> Any:
    idle = evaluator.pool.idle
    return idle[-1] if idle else None
