"""`python/execute`: what code gives, and what becomes of code that fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError, TimeoutError
from gleitzeit.providers.base import TaskContext

Execute = Callable[..., Awaitable[Any]]
Refused = Callable[..., Awaitable[GleitzeitError]]

pytestmark = pytest.mark.anyio


async def test_the_result_of_code(execute: Execute, task: TaskContext) -> None:
    assert await execute("print(1)") == {"result": 1}
    assert await execute("print({'data': [1, None]})") == {"data": [1, None]}
    assert await execute('print("[1]")\nresult = {"own": args["n"]}', args={"n": 2}) == {"own": 2}
    assert await execute("result = 100 + 50\nprint({'result': result})") == {"result": 150}
    assert await execute("pass") == {"result": None}
    assert await execute("import asyncio\nresult = await asyncio.sleep(0, 'awaited')") == {"result": "awaited"}
    assert await execute("result = None\nprint(5)") == {"result": None}


async def test_the_metadata_says_where_it_ran_and_what_it_printed(execute: Execute, task: TaskContext) -> None:
    await execute("import sys\nprint('out')\nprint('err', file=sys.stderr)", timeout=5, max_memory="64M")
    facts = task.metadata
    assert (facts["stdout"], facts["stderr"], facts["exit_code"]) == ("out\n", "err\n", 0)
    assert facts["sandbox"]["tier"] in ("ns", "ll")
    assert facts["sandbox"]["landlock_abi"] >= 0
    assert facts["sandbox"]["limits"]["memory"] == 64 << 20
    assert facts["sandbox"]["limits"]["timeout"] == 5
    assert facts["duration"] > 0


async def test_a_script_gets_its_arguments_as_json(execute: Execute, root: Path) -> None:
    (root / "tide.py").write_text(
        "import json, sys\nprint(json.dumps({'got': json.loads(sys.argv[1]), 'n': len(sys.argv)}))", encoding="utf-8"
    )
    assert await execute(script="tide.py", args={"a": 1}) == {"got": {"a": 1}, "n": 2}


async def test_an_exception_has_the_users_own_traceback(refused: Refused, root: Path, task: TaskContext) -> None:
    (root / "wrong.py").write_text("def f():\n    return 1 / 0\n\nprint('before')\nf()\n", encoding="utf-8")
    error = await refused(script="wrong.py")
    assert isinstance(error, ProviderError)
    assert error.message.startswith("ZeroDivisionError: division by zero\n")
    assert 'File "wrong.py", line 5' in error.message
    assert 'File "wrong.py", line 2, in f' in error.message
    assert "worker" not in error.message
    assert error.retryable
    assert task.metadata["stdout"] == "before\n"
    assert "ZeroDivisionError" in task.metadata["stderr"]


async def test_syntax_is_not_tried_again(refused: Refused) -> None:
    error = await refused("x = (")
    assert not error.retryable
    assert "SyntaxError" in error.message


async def test_an_exit_code_is_a_failure(refused: Refused, execute: Execute, task: TaskContext) -> None:
    error = await refused("import sys\nprint('no good', file=sys.stderr)\nsys.exit(3)")
    assert "exited with code 3: no good" in error.message
    assert task.metadata["exit_code"] == 3
    assert "exited with code 1: text" in (await refused("raise SystemExit('text')")).message
    assert await execute("result = 1\nimport sys\nsys.exit(0)") == {"result": 1}


async def test_code_that_ends_its_process_is_a_failure(refused: Refused, execute: Execute) -> None:
    assert "by itself with code 77" in (await refused("import os\nos._exit(77)")).message
    assert "signal 11" in (await refused("import ctypes\nctypes.string_at(0)")).message
    assert await execute("print(1)") == {"result": 1}


async def test_a_timeout_keeps_what_was_printed(refused: Refused, task: TaskContext) -> None:
    with anyio.fail_after(5):
        error = await refused("print('so far')\nwhile True: pass", timeout=0.5)
    assert isinstance(error, TimeoutError)
    assert "longer than 0.5 s" in error.message
    assert task.metadata["stdout"] == "so far\n"


async def test_memory_is_limited(refused: Refused) -> None:
    error = await refused("x = bytearray(10**9)", max_memory="64M")
    assert isinstance(error, LimitError)
    assert "more than 64M" in error.message


async def test_output_is_cut_and_counted(refused: Refused, execute: Execute, task: TaskContext) -> None:
    flood = "import sys\nfor _ in range(300): sys.stdout.write('x' * 65536)\n"
    error = await refused(flood)
    assert isinstance(error, LimitError)
    assert "19,660,800 bytes" in error.message
    assert len(task.metadata["stdout"]) < 70_000
    assert await execute(flood + "result = 'well'") == {"result": "well"}


async def test_output_that_is_no_text_is_replaced(execute: Execute) -> None:
    assert await execute("import os\nos.write(1, b'\\xff\\xfe')") == {"result": "\ufffd\ufffd"}


async def test_a_result_that_is_no_json_is_an_error(refused: Refused) -> None:
    for code in ("result = object()", "result = {}; result['self'] = result", "result = float('nan')"):
        assert isinstance(await refused(code), ProviderError)


async def test_forged_frames_fail_that_task_alone(refused: Refused, execute: Execute) -> None:
    for sent in (b"garbage\n", b'{"call": 1}\n', b"[" * 100_000 + b"\n", b'{"end": {"exit": "no"}}\n'):
        error = await refused(f"import os, time\nos.write(3, {sent!r})\ntime.sleep(9)")
        assert "the code sent" in error.message
        assert not error.retryable
    assert await execute("print(1)") == {"result": 1}


async def test_modules_can_be_narrowed_and_never_widened(start: Any, task: TaskContext) -> None:
    provider = await start(allowed_modules=["json", "math"])
    run = provider.handle_request
    assert await run("python/execute", {"code": "import json, math, sys\nresult = 1"}) == {"result": 1}
    with pytest.raises(ProviderError, match="'csv' is not among the allowed modules"):
        await run("python/execute", {"code": "import csv"})
    with pytest.raises(ProviderError, match="'math' is not among the allowed modules"):
        await run("python/execute", {"code": "import math", "allowed_modules": ["json"]})
    with pytest.raises(GleitzeitError, match="allowed_modules: os may not be imported here"):
        await run("python/execute", {"code": "import os", "allowed_modules": ["os"]})


async def test_cancelling_kills_at_once(start: Any, task: TaskContext) -> None:
    provider = await start(workers=1)
    await provider.handle_request("python/execute", {"code": "print(1)"})
    started = anyio.current_time()
    with anyio.move_on_after(0.2):
        await provider.handle_request("python/execute", {"code": "while True: pass"})
    assert await provider.handle_request("python/execute", {"code": "print(2)"}) == {"result": 2}
    assert anyio.current_time() - started < 3


async def test_two_hundred_jobs_at_once_leave_the_loop_alive(start: Any, task: TaskContext) -> None:
    provider = await start(workers=4)
    results: list[int] = []

    async def run(number: int) -> None:
        answer = await provider.handle_request("python/execute", {"code": "result = args * 2", "args": number})
        results.append(answer["result"])

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(run, number)
    assert sorted(results) == [number * 2 for number in range(200)]
