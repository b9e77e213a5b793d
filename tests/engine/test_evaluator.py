"""Expressions: light ones in place, heavy ones in a process that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ExpressionError
from gleitzeit.core.references import Scope, compile_template
from gleitzeit.engine.evaluator import Evaluator

pytestmark = pytest.mark.anyio

COMMAND = [sys.executable, "-m", "gleitzeit.engine.expression_worker"]


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
        return await evaluator.resolve(compile_template(value), scope(**inputs))


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
    assert "python/execute" in (raised.value.hint or "")
    assert worker_of(slow) is None
    assert worker_of(evaluator) is first
    await slow.close()
    await evaluator.close()


async def test_a_process_that_dies_fails_one_expression_and_is_replaced(heavy: Evaluator) -> None:
    await resolved(heavy, "${inputs.n + 1}", n=1)
    worker = worker_of(heavy)
    worker._process.kill()
    await worker._process.wait()
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
    process = worker_of(heavy)._process
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
        "child = subprocess.Popen([sys.executable, '-m', 'gleitzeit.engine.expression_worker'],"
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


def worker_of(evaluator: Evaluator) -> Any:
    return evaluator._worker  # pyright: ignore[reportPrivateUsage] - whether there is a process shows nowhere else
