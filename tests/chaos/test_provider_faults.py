"""A provider that does what no provider should do harms its own task alone."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from tests.chaos.clients import all_over, held, submitted
from tests.chaos.documents import gated
from tests.chaos.processes import Fleet, Server
from tests.chaos.verdict import check_consistency, everything
from tests.chaos.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(300)]


def beside(method: str, parameters: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A task and one beside it that has nothing to do with it."""
    bad = {"id": "bad", "method": method, "parameters": parameters, **fields}
    good = {"id": "good", "method": "chaos/step", "parameters": {"nap": 0.05, "value": "good"}}
    return {"name": "beside", "tasks": [bad, good]}


async def failure(server: Server, document: dict[str, Any], within: float = 10) -> dict[str, Any]:
    """The error of the bad task of a run whose good task is completed."""
    [run_id] = await submitted(server, document)
    run = (await all_over(server, [run_id], within))[run_id]
    assert run["status"] == "failed", run
    assert run["tasks"]["good"]["status"] == "completed", run
    assert run["tasks"]["bad"]["status"] == "failed", run
    error: dict[str, Any] = run["tasks"]["bad"]["error"]
    return error


async def test_whatever_a_provider_raises_or_returns_becomes_an_error_that_names_it(
    fleet: Fleet, witness: Witness
) -> None:
    server = await fleet.start()
    [bystander] = await submitted(server, gated("gate"))
    await held(witness, [bystander], server.pid)
    errors = [
        await failure(server, beside("chaos/foreign", {})),
        await failure(server, beside("chaos/cancelled", {})),
        await failure(server, beside("chaos/exit", {"with": "exit"})),
    ]
    kinds = ("object", "bytes", "ring", "huge", "key")
    odd = [await failure(server, beside("chaos/odd", {"kind": kind})) for kind in kinds]
    assert all("chaos/" in error["message"] for error in errors), errors
    assert all("the result" in error["message"] for error in odd), odd
    assert "Alien" in errors[0]["message"]
    await server.ask("open", gate="gate")
    assert (await all_over(server, [bystander]))[bystander]["status"] == "completed"
    assert await server.leave() == 0, fleet.said(server)
    check_consistency((await everything(fleet.setup.database)).values())


async def test_a_provider_that_holds_up_the_loop_loses_no_lease(fleet: Fleet, witness: Witness) -> None:
    owner, other = await fleet.start_several(2)
    run_ids = await submitted(owner, gated("gate"), 2)
    await held(witness, run_ids, owner.pid)
    seconds = fleet.setup.options["lease"] + 1.0
    [blocking] = await submitted(owner, beside("chaos/block", {"seconds": seconds, "value": "blocked"}))
    assert (await all_over(other, [blocking], within=40))[blocking]["status"] == "completed"
    await owner.ask("open", gate="gate")
    assert {run["status"] for run in (await all_over(other, run_ids)).values()} == {"completed"}
    assert {line.pid for line in witness.lines()} == {owner.pid}
    assert len(witness.starts(blocking, "bad")) == 1


async def test_a_provider_that_ignores_its_cancellation_fails_by_its_timeout_and_holds_up_nobody(
    fleet: Fleet, witness: Witness
) -> None:
    server = await fleet.start()
    error = await failure(server, beside("chaos/deaf", {"gate": "timeout"}, timeout=0.5))
    assert error["code"] == "timeout"
    assert "let go" in error["message"]
    assert len([line for line in witness.lines() if line.what == "ignored"]) == 1
    [run_id] = await submitted(server, beside("chaos/deaf", {"gate": "cancel"}))
    await witness.until(lambda lines: any((line.run, line.task) == (run_id, "bad") for line in lines))
    with anyio.fail_after(7):
        assert (await server.ask("cancel", run_id=run_id))["status"] == "cancelled"
    [after] = await submitted(server, {"name": "after", "tasks": [{"id": "a", "method": "chaos/step"}]})
    assert (await all_over(server, [after], within=5))[after]["status"] == "completed"
    for gate in ("timeout", "cancel"):
        await server.ask("open", gate=gate)
    await witness.until(lambda lines: len([line for line in lines if (line.what, line.task) == ("end", "bad")]) == 2)
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    assert runs[run_id].snapshot.tasks["bad"].state == "cancelled"
    assert await server.leave() == 0, fleet.said(server)


async def test_progress_without_measure_is_told_in_measure(fleet: Fleet) -> None:
    server = await fleet.start()
    task = {"id": "busy", "method": "chaos/progress", "parameters": {"count": 10_000}}
    [run_id] = await submitted(server, {"name": "busy", "tasks": [task]})
    assert (await all_over(server, [run_id], within=20))[run_id]["status"] == "completed"
    kinds = [event["kind"] async for event in server.events(run_id)]
    assert kinds.count("task.progress") <= 20
    assert kinds[-1] == "run.completed"
