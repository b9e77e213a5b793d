"""What WebAssembly has not, and what it is told of that."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.providers.python.stdio.tiers import Asked

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.sandbox.base import Job, Outcome, Sandbox
from gleitzeit_python.wasm import runtime
from gleitzeit_python.wasm.sandbox import WasmSandbox

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


@pytest.fixture
async def wasm() -> AsyncIterator[Sandbox]:
    able = runtime.availability()
    if not able.available:
        pytest.skip(able.reason)
    async with (made := WasmSandbox(processes=1)).open():
        yield made


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import numpy", "without numpy"),
        ("import threading\nthreading.Thread(target=print).start()", "no threads"),
        ("import subprocess\nsubprocess.run(['ls'])", "starts no programs"),
        ("import socket\nsocket.create_connection(('127.0.0.1', 80))", "no tier has a network"),
        ("call_sync('a/b')", "no threads"),
        ("import asyncio\ndef f(): asyncio.run(call('a/b'))\nf()", "use `await`"),
    ],
)
async def test_what_it_lacks_is_said_in_the_error(wasm: Sandbox, host: Asked, code: str, told: str) -> None:
    outcome = await wasm.run(Job(code), host)
    assert outcome.problem is not None
    assert told in outcome.problem.message
    assert told in outcome.stderr.decode()


async def test_a_scripts_own_loop_is_the_one_that_runs(wasm: Sandbox, host: Asked) -> None:
    code = "import asyncio\nfrom gleitzeit_sandbox import call\nasync def main():\n"
    code += "    print((await call('a/b'))['method'])\n"
    outcome = await wasm.run(Job(code + "if __name__ == '__main__':\n    asyncio.run(main())", mode="script"), host)
    assert outcome.stdout == b"a/b\n", outcome


async def test_code_that_aborts_the_runtime_takes_nothing_with_it(wasm: Sandbox, host: Asked) -> None:
    deep: Outcome = await wasm.run(Job("import json\njson.loads('[' * 100_000)"), host)
    assert deep.ended == "crashed"
    assert (await wasm.run(Job("print(1)"), host)).stdout == b"1\n"


async def test_folders_can_be_read_and_not_written(wasm: Sandbox, host: Asked, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data", encoding="utf-8")
    code = "try:\n    open('in/data.txt', 'w')\nexcept OSError:\n    print('no')\nresult = open('in/data.txt').read()"
    outcome = await wasm.run(Job(code, files={"in": tmp_path}), host)
    assert (outcome.value, outcome.stdout) == ("data", b"no\n"), outcome


async def test_files_are_copies(wasm: Sandbox, host: Asked, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data", encoding="utf-8")
    code = "result = open('a/b.txt').read()\nopen('a/b.txt', 'w').write('other')"
    outcome = await wasm.run(Job(code, files={"a/b.txt": tmp_path / "data.txt"}), host)
    assert outcome.value == "data", outcome
    assert (tmp_path / "data.txt").read_text(encoding="utf-8") == "data"


async def test_modules_of_given_folders_are_found(wasm: Sandbox, host: Asked, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("NAME = 'mine'", encoding="utf-8")
    outcome = await wasm.run(Job("import mine\nresult = mine.NAME", python_path=[tmp_path]), host)
    assert outcome.value == "mine", outcome


async def test_forged_frames_end_the_job_alone(wasm: Sandbox, host: Asked) -> None:
    code = "import sys\nfor name in ('{', '[]', '{\"end\": 3}'):\n    await host(frame=name)"
    outcome = await wasm.run(Job(code), host)
    assert outcome.ended in ("exited", "crashed", "forged")
    assert (await wasm.run(Job("print(1)"), host)).stdout == b"1\n"


async def test_it_is_told_why_it_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", dict[str, None]().get)
    monkeypatch.setattr(sys, "version_info", (3, 11, 0))
    assert "Python 3.12" in runtime.availability().reason
    monkeypatch.setattr(sys, "version_info", (3, 13, 0))
    with pytest.raises(ProviderUnavailableError, match="pyeryx is not installed") as error:
        async with WasmSandbox().open():
            pass
    assert "gleitzeit-mcp[wasm]" in str(error.value.hint)
