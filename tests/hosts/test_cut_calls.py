"""A host that cuts every call short still gets the whole of a workflow that takes six times as long."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.pipe import ENVELOPE, Pipe, pipe
from tests.ways import FULL, some

STEPS = 6
CUT = 10.0 if FULL else 0.5
PATIENCE = 3 * STEPS * CUT + 15

HANDSHAKE = pytest.param({}, id="handshake")
MODERN = pytest.param({"_meta": ENVELOPE}, id="modern")

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(PATIENCE + 10)]


class Impatient:
    """A host that gives up each call after `CUT` seconds, and says so."""

    def __init__(self, host: Pipe, envelope: dict[str, Any]) -> None:
        self._host = host
        self._envelope = envelope
        self._last = 10
        self.cuts = 0

    async def call(self, name: str, **arguments: Any) -> dict[str, Any] | None:
        """The result of one call, if it comes in time."""
        self._last += 1
        number = self._last
        params = {"name": name, "arguments": arguments, **self._envelope}
        await self._host.send({"id": number, "method": "tools/call", "params": params})
        with anyio.move_on_after(CUT):
            answer = await self._host.answer(number)
            result: dict[str, Any] = answer["result"]
            return result
        self.cuts += 1
        cancelled = {"requestId": number, "reason": "the call took too long"}
        await self._host.send({"method": "notifications/cancelled", "params": cancelled})
        return None

    async def insist(self, name: str, **arguments: Any) -> dict[str, Any]:
        """The result of the first of many calls that comes in time."""
        while True:
            result = await self.call(name, **arguments)
            if result is not None:
                assert not result.get("isError"), result
                content: dict[str, Any] = result["structuredContent"]
                return content


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """Where each step is noted as it ends."""
    return tmp_path / "journal"


@pytest.fixture
def workflow(journal: Path) -> dict[str, Any]:
    """Steps one after the other, all of which together take much longer than a call may."""
    tasks = [
        {
            "id": f"step{number}",
            "method": "steps/take",
            "parameters": {"number": number, "seconds": CUT, "journal": str(journal)},
            **({"depends_on": [f"step{number - 1}"]} if number else {}),
        }
        for number in range(STEPS)
    ]
    outputs = {"steps": [f"${{step{number}.number}}" for number in range(STEPS)]}
    return {"name": "A long way", "tasks": tasks, "outputs": outputs}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    modules = f"providers:\n  modules: [steps]\n  path: ['{Path(__file__).parent}']\n"
    (home / "config.yaml").write_text(modules, encoding="utf-8")
    return {**os.environ, "GLEITZEIT_HOME": str(home)}


@pytest.mark.parametrize("envelope", some([HANDSHAKE], [HANDSHAKE, MODERN]))
async def test_a_workflow_submitted_again_and_again_is_carried_out_once(
    environment: dict[str, str], workflow: dict[str, Any], journal: Path, envelope: dict[str, Any]
) -> None:
    with anyio.fail_after(PATIENCE):
        async with pipe(environment) as host:
            await host.initialize()
            impatient = Impatient(host, envelope)
            run = await impatient.insist("submit_workflow", workflow=workflow, idempotency_key="once", wait_seconds=45)
            while run["status"] == "running":
                run = await impatient.insist("inspect_run", run_id=run["run_id"], wait_seconds=45)
    assert run["status"] == "completed"
    assert run["outputs"] == {"steps": list(range(STEPS))}
    assert taken(journal) == list(range(STEPS))
    assert impatient.cuts >= STEPS - 2


@pytest.mark.parametrize("envelope", some([MODERN], [HANDSHAKE, MODERN]))
async def test_a_run_whose_submission_was_cut_is_found_and_waited_for(
    environment: dict[str, str], workflow: dict[str, Any], journal: Path, envelope: dict[str, Any]
) -> None:
    with anyio.fail_after(PATIENCE):
        async with pipe(environment) as host:
            await host.initialize()
            impatient = Impatient(host, envelope)
            await impatient.insist("list_runs")  # the engine is open, so that a call that is cut was taken
            assert await impatient.call("submit_workflow", workflow=workflow, wait_seconds=45) is None
            found = await impatient.insist("list_runs")
            (run,) = found["runs"]
            while run["status"] == "running":
                run = await impatient.insist("inspect_run", run_id=run["run_id"], wait_seconds=CUT / 2)
    assert run["status"] == "completed"
    assert run["outputs"] == {"steps": list(range(STEPS))}
    assert taken(journal) == list(range(STEPS))


def taken(journal: Path) -> list[int]:
    """The steps in the order in which they ended."""
    return [int(number) for number in journal.read_text(encoding="utf-8").split()]
