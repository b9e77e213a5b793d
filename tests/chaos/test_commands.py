"""The real commands, killed: `gleitzeit run`, `gleitzeit serve` and `gleitzeit mcp` leave nothing that can't go on."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from anyio.abc import Process
from tests.chaos.chaos_provider import WITNESS
from tests.chaos.verdict import check_consistency, check_executions, everything
from tests.chaos.witness import Witness

from gleitzeit import GleitzeitClient
from gleitzeit.core.errors import GleitzeitError

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]

STUCK = {
    "name": "stuck",
    "tasks": [
        {"id": "first", "method": "chaos/step", "parameters": {"value": 1}},
        {
            "id": "second",
            "method": "chaos/step",
            "parameters": {"value": "${first.value + 1}", "stuck": 1},
        },
    ],
    "outputs": {"answer": "${second.value}"},
}

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a Gleitzeit that has the witnessed provider."""
    folder = tmp_path / "home"
    folder.mkdir()
    here = Path(__file__).parent
    (folder / "config.yaml").write_text(f"providers: {{path: ['{here}'], modules: [chaos_provider]}}\n")
    return folder


@pytest.fixture
def environment(home: Path, witness: Witness) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GLEITZEIT_", "XDG_"))}
    return {**kept, "HOME": str(home), "GLEITZEIT_HOME": str(home), "NO_COLOR": "1", WITNESS: str(witness.path)}


@asynccontextmanager
async def process(environment: Mapping[str, str], *arguments: str) -> AsyncGenerator[Process]:
    """A command that does not outlive the block."""
    command = [sys.executable, "-m", "gleitzeit", *arguments]
    made = await anyio.open_process(command, stdin=subprocess.DEVNULL, stderr=None, env=environment)
    try:
        yield made
    finally:
        if made.returncode is None:
            made.kill()
        with anyio.CancelScope(shield=True):
            await made.aclose()


async def called(environment: Mapping[str, str], *arguments: str) -> str:
    """What a command prints that ends well."""
    ended = await anyio.run_process([sys.executable, "-m", "gleitzeit", *arguments], check=False, env=environment)
    assert ended.returncode == 0, ended.stderr.decode()
    return ended.stdout.decode()


async def until_stuck(witness: Witness) -> None:
    """Return once the second task is under way."""
    await witness.until(lambda lines: any(line.task == "second" for line in lines), within=30)


def check_continued(witness: Witness) -> None:
    """What was done was not done again, and what was cut off was."""
    assert len(witness.starts(task="first")) == 1
    assert [line.attempt for line in witness.starts(task="second")] == [1, 2]


async def killed_run(environment: Mapping[str, str], witness: Witness, folder: Path) -> None:
    """Run a workflow by `gleitzeit run`, and kill that in the middle of it."""
    document = folder / "stuck.json"
    document.write_text(json.dumps(STUCK))
    async with process(environment, "run", str(document)) as command:
        await until_stuck(witness)
        command.send_signal(signal.SIGKILL)
        await command.wait()


async def test_a_killed_run_is_finished_by_runs_resume(
    environment: dict[str, str], witness: Witness, tmp_path: Path
) -> None:
    await killed_run(environment, witness, tmp_path)
    [listed] = json.loads(await called(environment, "runs", "list", "--json"))["runs"]
    finished = json.loads(await called(environment, "runs", "resume", listed["run_id"], "--json"))
    assert finished["status"] == "completed"
    assert finished["outputs"] == {"answer": 2}
    check_continued(witness)


async def test_a_killed_run_is_finished_by_any_server_that_starts(
    environment: dict[str, str], witness: Witness, tmp_path: Path
) -> None:
    await killed_run(environment, witness, tmp_path)
    async with process(environment, "serve", "--port", "0"):
        await witness.until(lambda lines: any((line.what, line.task) == ("end", "second") for line in lines), 30)
    check_continued(witness)


@asynccontextmanager
async def served(environment: Mapping[str, str], port: int) -> AsyncGenerator[Process]:
    """A server that is ready at this port."""
    async with process(environment, "serve", "--port", str(port)) as server:
        assert server.stdout is not None
        with anyio.fail_after(30):
            await server.stdout.receive()
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def client_at(port: int) -> AsyncGenerator[GleitzeitClient]:
    async with GleitzeitClient(mode="mcp", url=f"http://127.0.0.1:{port}/mcp") as client:
        yield client


async def test_a_run_goes_on_when_serve_is_killed_and_started_again(
    environment: dict[str, str], witness: Witness
) -> None:
    port = free_port()
    async with served(environment, port) as server:
        async with client_at(port) as client:
            run = await client.submit_workflow(STUCK)
            await until_stuck(witness)
        server.send_signal(signal.SIGKILL)
        await server.wait()
    async with served(environment, port), client_at(port) as client:
        with anyio.fail_after(20):
            kinds = [event.kind async for event in client.events(run.id)]
        assert kinds[-1] == "run.completed"
        assert (await client.get_run(run.id)).outputs == {"answer": 2}
    check_continued(witness)


async def test_a_run_goes_on_when_a_host_starts_its_killed_server_again(
    environment: dict[str, str], witness: Witness
) -> None:
    given = [f"{key}={value}" for key, value in environment.items()]
    command = ["/usr/bin/env", *given, sys.executable, "-m", "gleitzeit", "mcp"]
    run_id = ""
    try:
        async with GleitzeitClient(mode="mcp", command=command) as client:
            run_id = (await client.submit_workflow(STUCK)).id
            await until_stuck(witness)
            os.kill(witness.lines()[0].pid, signal.SIGKILL)
            with anyio.fail_after(20):
                await client.get_run(run_id)
            pytest.fail("a server that was killed answered")
    except (GleitzeitError, OSError):
        assert run_id
    async with GleitzeitClient(mode="mcp", command=command) as client:
        with anyio.fail_after(20):
            kinds = [event.kind async for event in client.events(run_id)]
        assert kinds[-1] == "run.completed"
    check_continued(witness)


async def test_what_serve_acknowledged_over_mcp_survives_its_being_killed(
    environment: dict[str, str], witness: Witness, chance: random.Random, home: Path, whole: bool
) -> None:
    port = free_port()
    accepted: dict[str, str] = {}
    number = 20 if whole else 4

    async def submit(one: int) -> None:
        try:
            async with client_at(port) as client:
                for turn in range(100):
                    task = {"id": "a", "method": "chaos/step", "parameters": {"nap": 0.01, "value": turn}}
                    run = await client.submit_workflow({"name": "one", "tasks": [task]})
                    accepted[run.id] = f"client {one}, turn {turn}"
        except (GleitzeitError, OSError, ExceptionGroup):
            return

    for _ in range(5 if whole else 1):
        goal = len(accepted) + chance.randint(number, 3 * number)
        async with served(environment, port) as server, anyio.create_task_group() as group:
            for one in range(number):
                group.start_soon(submit, one)
            await witness.until(lambda _, goal=goal: len(accepted) >= goal, within=40)  # type: ignore[misc]
            server.send_signal(signal.SIGKILL)
            await server.wait()
    async with served(environment, port) as server, client_at(port) as client:

        async def see_end(run_id: str) -> None:
            async for _ in client.events(run_id):
                pass
            assert (await client.get_run(run_id)).status == "completed"

        with anyio.fail_after(60):
            async with anyio.create_task_group() as ends:
                for run_id in accepted:
                    ends.start_soon(see_end, run_id)
        server.terminate()
        await server.wait()
    runs = await everything(home / "gleitzeit.db")
    assert accepted.keys() <= runs.keys()
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
