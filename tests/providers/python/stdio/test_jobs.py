"""What every tier makes of a job."""

from __future__ import annotations

import anyio
import pytest
from tests.providers.python.stdio.tiers import Asked

from gleitzeit_python.sandbox.base import Job, Limits, Outcome, Sandbox

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def ran(sandbox: Sandbox, host: Asked, code: str, **given: object) -> Outcome:
    return await sandbox.run(Job(code, **given), host)  # type: ignore[arg-type]


async def test_the_variable_result_is_the_value(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "print('said')\nresult = {'got': args['x']}", args={"x": 1})
    assert (outcome.ended, outcome.exit_code, outcome.value, outcome.stdout) == ("exited", 0, {"got": 1}, b"said\n")
    assert outcome.facts["tier"] == sandbox.tier


async def test_a_script_has_its_arguments_and_environment(sandbox: Sandbox, host: Asked) -> None:
    code = "import json, os, sys\nprint(json.loads(sys.argv[1])['x'], os.environ['COLOR'], __file__)"
    job = Job(code, "task.py", mode="script", args={"x": 7}, env={"COLOR": "blue"})
    assert (await sandbox.run(job, host)).stdout == b"7 blue task.py\n"


async def test_many_calls_are_under_way_at_once(sandbox: Sandbox, host: Asked) -> None:
    code = (
        "import asyncio\n"
        "answers = await asyncio.gather(*[call('a/b', i=i) for i in range(20)])\n"
        "await progress(1, 2, 'half')\n"
        "result = [answer['i'] for answer in answers], await ask('well?')"
    )
    outcome = await ran(sandbox, host, code)
    assert outcome.value == [list(range(20)), {"asked": "well?"}]
    assert len(host.calls) == outcome.facts["calls"] - 1 == 20
    assert host.reports == [(1, 2, "half")]


async def test_a_refused_call_is_an_exception_of_the_code(sandbox: Sandbox, host: Asked) -> None:
    code = "try:\n    await call('no/way')\nexcept Exception as error:\n    result = [error.code, error.hint]"
    assert (await ran(sandbox, host, code)).value == ["forbidden", "leave it"]


async def test_an_exception_has_the_codes_own_lines(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "def f():\n    return 1 / 0\n\nf()")
    assert outcome.ended == "exited"
    assert outcome.exit_code == 1
    assert outcome.problem is not None
    assert outcome.problem.type == "ZeroDivisionError"
    assert 'File "<task>", line 4' in outcome.problem.traceback
    assert 'File "<task>", line 2, in f' in outcome.problem.traceback
    assert b"ZeroDivisionError" in outcome.stderr


async def test_code_that_never_ends_is_killed(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "print('begun')\nwhile True: pass", limits=Limits(timeout=0.5))
    assert (outcome.ended, outcome.stdout) == ("timeout", b"begun\n")
    assert (await ran(sandbox, host, "print(1)")).stdout == b"1\n"


async def test_a_cancelled_job_is_gone_and_the_next_one_runs(sandbox: Sandbox, host: Asked) -> None:
    with anyio.move_on_after(0.3) as scope:
        await ran(sandbox, host, "while True: pass")
    assert scope.cancelled_caught
    assert (await ran(sandbox, host, "print(1)")).stdout == b"1\n"


async def test_too_much_memory_is_told_so(sandbox: Sandbox, host: Asked) -> None:
    code = "held = []\nwhile True: held.append(bytearray(8 << 20))"
    assert (await ran(sandbox, host, code, limits=Limits(timeout=30, memory=128 << 20))).ended == "memory"


async def test_output_is_kept_to_its_limit_and_counted(sandbox: Sandbox, host: Asked) -> None:
    code = "for _ in range(1000): print('x' * 999)"
    outcome = await ran(sandbox, host, code, limits=Limits(output=5000))
    assert (len(outcome.stdout), outcome.stdout_total) == (5000, 1_000_000)


async def test_an_exit_code_is_told(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "import sys\nsys.exit(4)")
    assert (outcome.ended, outcome.exit_code) == ("exited", 4)


async def test_a_process_that_ends_without_a_word_is_a_crash(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "import os\nos._exit(3)")
    assert outcome.ended == "crashed"
    assert outcome.exit_code in (3, None)
    assert (await ran(sandbox, host, "print(1)")).stdout == b"1\n"


async def test_files_that_are_left_come_back(sandbox: Sandbox, host: Asked) -> None:
    code = "open('a.txt', 'w').write('hello')\nopen('b.bin', 'wb').write(bytes(300_000))"
    artifacts = (await ran(sandbox, host, code, artifacts=["*.txt", "*.bin"])).artifacts
    assert [(artifact.name, len(artifact.data)) for artifact in artifacts] == [("a.txt", 5), ("b.bin", 300_000)]


async def test_nothing_stays_for_the_next_job(sandbox: Sandbox, host: Asked) -> None:
    await ran(sandbox, host, "import json\njson.planted = 1\nopen('planted', 'w').write('x')")
    code = "import json, os\nresult = [hasattr(json, 'planted'), os.path.exists('planted')]"
    assert (await ran(sandbox, host, code)).value == [False, False]


async def test_modules_outside_the_allowed_ones_are_refused(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "import json, csv", allowed_modules=frozenset({"json"}))
    assert outcome.problem is not None
    assert outcome.problem.type == "ImportError"
    assert "csv" in outcome.problem.message


async def test_a_value_that_json_lacks_is_an_error(sandbox: Sandbox, host: Asked) -> None:
    outcome = await ran(sandbox, host, "result = float('nan')")
    assert outcome.problem is not None
    assert outcome.problem.type == "ResultError"
