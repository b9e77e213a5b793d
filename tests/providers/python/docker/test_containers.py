"""How containers are made, and that none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.python.stdio.tiers import Asked

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.docker import owner, sdk
from gleitzeit_python.docker.daemon import LABEL, Found
from gleitzeit_python.docker.hub import DockerHub, Need
from gleitzeit_python.docker.sandbox import DockerSandbox
from gleitzeit_python.sandbox.base import Job, Limits

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@pytest.fixture
def daemon(docker: str) -> Iterator[Any]:
    """The daemon, seen from outside of the hub."""
    client = sdk.load().APIClient(docker)
    yield client
    client.close()


def ours(daemon: Any) -> Sequence[Any]:
    found: Sequence[Any] = daemon.containers(all=True, filters={"label": LABEL})
    return found


async def until(holds: Callable[[], bool]) -> None:
    """The daemon tells nobody when it has removed something."""
    with anyio.fail_after(60):
        while not await anyio.to_thread.run_sync(holds):  # noqa: ASYNC110 as said
            await anyio.sleep(0.1)


async def test_a_container_is_confined(docker: str, daemon: Any) -> None:
    hub = DockerHub(host=docker, pool_size=0, memory=128 << 20)
    async with hub.open():
        container = await hub.take(Need(128 << 20))
        facts = await anyio.to_thread.run_sync(daemon.inspect_container, container.id)
        config, host = facts["Config"], facts["HostConfig"]
        assert host["NetworkMode"] == "none"
        assert host["ReadonlyRootfs"]
        assert host["AutoRemove"]
        assert host["CapDrop"] == ["ALL"]
        assert host["Memory"] == host["MemorySwap"] == 128 << 20
        assert (host["PidsLimit"], host["NanoCpus"]) == (64, 1_000_000_000)
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert any(option.startswith("seccomp={") for option in host["SecurityOpt"])
        assert "nr_inodes=1000" in host["Tmpfs"]["/job"]
        assert config["User"].split(":")[0] != "0"
        assert config["StdinOnce"]
        assert config["Labels"][LABEL] == owner.this_server()
        assert all(not mount["RW"] for mount in facts["Mounts"])
        hub.give_back(container)


async def test_code_starts_programs_and_all_of_them_share_the_memory(docker: str, host: Asked) -> None:
    sandbox = DockerSandbox(DockerHub(host=docker, pool_size=1))
    code = (
        "import subprocess, sys\n"
        "print(subprocess.run(['echo', 'hello'], capture_output=True, text=True).stdout.strip())\n"
        "hold = 'x = bytearray(100 << 20); import time; time.sleep(2); print(1)'\n"
        "many = [subprocess.Popen([sys.executable, '-c', hold], stdout=subprocess.PIPE) for _ in range(4)]\n"
        "result = [one.communicate()[0] != b'' for one in many]\n"
    )
    async with sandbox.open():
        outcome = await sandbox.run(Job(code, limits=Limits(timeout=60, memory=256 << 20)), host)
    assert outcome.stdout == b"hello\n"
    assert outcome.value is not None
    assert outcome.ended == "memory" or False in outcome.value


async def test_files_and_folders_can_be_read_and_not_written(docker: str, host: Asked, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "mine.py").write_text("NAME = 'mine'\n", encoding="utf-8")
    (tmp_path / "data.txt").write_text("data", encoding="utf-8")
    code = (
        "import mine\ntry:\n    open('data.txt', 'w')\nexcept OSError as error:\n    print(type(error).__name__)\n"
        "result = [mine.NAME, open('data.txt').read()]"
    )
    job = Job(code, files={"data.txt": tmp_path / "data.txt"}, python_path=[tmp_path / "lib"])
    sandbox = DockerSandbox(DockerHub(host=docker, pool_size=0))
    async with sandbox.open():
        outcome = await sandbox.run(job, host)
    assert outcome.value == ["mine", "data"], outcome
    assert outcome.stdout == b"OSError\n"
    assert (tmp_path / "data.txt").read_text(encoding="utf-8") == "data"


@pytest.mark.parametrize(("packages", "found"), [("host", True), ("none", False)])
async def test_packages_are_there_if_wanted(docker: str, host: Asked, packages: Any, found: bool) -> None:
    code = "import importlib.util\nresult = importlib.util.find_spec('anyio') is not None"
    sandbox = DockerSandbox(DockerHub(host=docker, pool_size=0))
    async with sandbox.open():
        assert (await sandbox.run(Job(code, packages=packages), host)).value is found


async def test_a_closed_hub_leaves_nothing(docker: str, daemon: Any, host: Asked) -> None:
    sandbox = DockerSandbox(DockerHub(host=docker, pool_size=2))
    async with sandbox.open():
        await sandbox.run(Job("print(1)"), host)
        await sandbox.run(Job("while True: pass", limits=Limits(timeout=0.2)), host)
    await until(lambda: not ours(daemon))


async def test_a_killed_server_leaves_nothing(docker: str, daemon: Any) -> None:
    program = Path(__file__).parent / "server.py"
    process = await anyio.open_process([sys.executable, str(program), docker], stdout=None, stderr=None)
    try:
        await until(lambda: sum(found["State"] == "running" for found in ours(daemon)) == 2)
    finally:
        process.kill()
        await process.aclose()
    await until(lambda: not ours(daemon))


async def test_leftovers_of_a_dead_server_are_removed_at_the_start(docker: str, daemon: Any) -> None:
    where, _, started = owner.this_server().rsplit(":", 2)
    dead = f"{where}:{_unused()}:{started}"
    hub = DockerHub(host=docker, pool_size=0)
    async with hub.open():
        image = (await hub.health_check())["image"]
    for label in (dead, f"elsewhere:1:{started}"):
        daemon.create_container(image, ["/python"], labels={LABEL: label})
    async with hub.open():
        left = [found["Labels"][LABEL] for found in ours(daemon)]
        assert left == [f"elsewhere:1:{started}"], "another machine's server may be alive"
    for found in ours(daemon):
        daemon.remove_container(found["Id"], force=True)


async def test_a_container_that_never_started_is_a_leftover_wherever_its_server_was() -> None:
    mine = owner.this_server()
    assert owner.is_leftover(Found("a", "elsewhere:1:2", "created", 0), mine)
    assert not owner.is_leftover(Found("a", "elsewhere:1:2", "running", 0), mine)
    assert not owner.is_leftover(Found("a", mine, "created", 0), mine)


async def test_a_hub_tells_of_its_health(docker: str) -> None:
    hub = DockerHub(host=docker, pool_size=0)
    async with hub.open():
        health = await hub.health_check()
        assert (health["status"], health["running"], health["hub"]) == ("healthy", 0, hub.hub_id)


async def test_a_daemon_that_is_away_is_named_with_a_way_out(tmp_path: Path) -> None:
    hub = DockerHub(host=f"unix://{tmp_path}/none.sock")
    with pytest.raises(ProviderUnavailableError, match="Docker does not answer") as error:
        async with hub.open():
            pass
    assert "start Docker" in str(error.value.hint)
    assert (await hub.health_check())["status"] == "unhealthy"


async def test_an_image_that_nobody_has_is_refused_in_dockers_words(docker: str) -> None:
    with pytest.raises(ProviderUnavailableError, match="Docker"):
        async with DockerHub(host=docker, image="localhost:1/none:none").open():
            pass


def _unused() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return process.pid
