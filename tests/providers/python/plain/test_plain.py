"""The tier without protection: limits, and the end of all that was started."""

from __future__ import annotations

import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from tests.providers.python.stdio.tiers import Asked

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.plain import PlainSandbox, sandbox
from gleitzeit_python.sandbox.base import Availability, Job, Limits

pytestmark = pytest.mark.anyio

if sys.platform != "linux":
    pytest.skip("processes are watched as Linux has it", allow_module_level=True)


async def test_what_a_job_has_started_ends_with_it(host: Asked) -> None:
    code = "import subprocess\nresult = subprocess.Popen(['sleep', '1000']).pid"
    outcome = await PlainSandbox().run(Job(code), host)
    await _ends(outcome.value)


async def test_a_job_out_of_time_takes_its_programs_along(host: Asked) -> None:
    code = "import subprocess, time\nprint(subprocess.Popen(['sleep', '1000']).pid, flush=True)\ntime.sleep(100)"
    outcome = await PlainSandbox().run(Job(code, limits=Limits(timeout=1)), host)
    assert outcome.ended == "timeout"
    await _ends(int(outcome.stdout))


async def test_the_servers_environment_stays_with_the_server(host: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SERVER", "x")
    outcome = await PlainSandbox().run(Job("import os\nresult = 'SECRET_OF_THE_SERVER' in os.environ"), host)
    assert outcome.value is False


async def test_files_stand_under_their_names_and_the_folder_goes(host: Asked, tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("data", encoding="utf-8")
    code = "import os\nresult = [open('in/data.txt').read(), os.getcwd()]"
    outcome = await PlainSandbox().run(Job(code, files={"in/data.txt": tmp_path / "data.txt"}), host)
    data, folder = outcome.value
    assert data == "data"
    assert folder.startswith(tempfile.gettempdir())
    assert not os.path.lexists(folder)  # noqa: ASYNC240 it is quick


async def test_threads_can_wait_for_calls(host: Asked) -> None:
    assert (await PlainSandbox().run(Job("result = call_sync('a/b', x=1)"), host)).value == {"method": "a/b", "x": 1}


async def test_it_is_told_where_processes_cannot_fork(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "availability", lambda: Availability("none", available=False, reason="no fork"))
    with pytest.raises(ProviderUnavailableError, match="no fork"):
        async with PlainSandbox().open():
            pass


async def _ends(pid: int) -> None:
    """Return once it is gone: that it was killed does not mean that it has ended by now."""
    with suppress(ProcessLookupError), anyio.fail_after(10):
        descriptor = os.pidfd_open(pid)
        try:
            await anyio.wait_readable(descriptor)
        finally:
            os.close(descriptor)
