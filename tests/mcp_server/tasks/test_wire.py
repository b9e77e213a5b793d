from __future__ import annotations

import mcp_types as types
import pytest

from gleitzeit.core.errors import NotFoundError
from gleitzeit.mcp_server.tasks.base import CallTask
from gleitzeit.mcp_server.tasks.names import TaskName
from gleitzeit.mcp_server.tasks.runs import patience
from gleitzeit.mcp_server.tasks.standing import poll_interval
from gleitzeit.mcp_server.tasks.wire import created, detailed

FORM = types.ElicitRequest(
    params=types.ElicitRequestFormParams(message="?", requested_schema={"type": "object", "properties": {}})
)
RESULT = {"content": [{"type": "text", "text": "no"}], "isError": True}
TASK = {
    "taskId": "a",
    "status": "working",
    "createdAt": "1970-01-01T00:00:00.000+00:00",
    "lastUpdatedAt": "1970-01-01T00:00:01.500+00:00",
    "ttlMs": None,
    "pollIntervalMs": 1000,
}


def test_a_task_says_when_it_was_made_and_how_long_it_is_kept() -> None:
    assert created(CallTask("a", "working", 0.0, 1.5)) == {"resultType": "task", **TASK}
    kept = created(CallTask("a", "working", 0.0, 1.5, ttl=0.25, poll_interval=0.0001, message="on its way"))
    assert (kept["ttlMs"], kept["pollIntervalMs"], kept["statusMessage"]) == (250, 1, "on its way")


def test_each_status_has_what_belongs_to_it_and_nothing_else() -> None:
    error = types.ErrorData(code=types.INTERNAL_ERROR, message="broken")

    def told(status: str) -> dict[str, object]:
        task = CallTask("a", status, 0.0, 1.5, input_requests={"k": FORM}, result=RESULT, error=error)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
        return {key: value for key, value in detailed(task).items() if key not in TASK}

    form: dict[str, object] = {"mode": "form", "message": "?", "requestedSchema": {"type": "object", "properties": {}}}
    assert told("working") == told("cancelled") == {}
    assert told("input_required") == {"inputRequests": {"k": {"method": "elicitation/create", "params": form}}}
    assert told("failed") == {"error": {"code": types.INTERNAL_ERROR, "message": "broken"}}
    assert told("completed") == {
        "result": {"resultType": "complete", "content": [{"type": "text", "text": "no"}], "isError": True}
    }


@pytest.mark.parametrize("told", ["ab12.run", "ab12.method", "ab12.content"])
def test_an_id_says_which_run_and_how_it_is_told(told: str) -> None:
    assert str(TaskName.of(told)) == told
    assert TaskName.of(told).run_id == "ab12"


@pytest.mark.parametrize("forged", ["", ".", ".run", "ab12", "ab12.", "ab12.RUN", "ab12.run ", "ab12.other"])
def test_what_is_no_id_of_a_task_names_none(forged: str) -> None:
    with pytest.raises(NotFoundError):
        TaskName.of(forged)


def test_the_longer_nothing_has_happened_the_rarer_a_look_is_worth_it() -> None:
    assert [poll_interval(age) for age in (0, 5, 20, 50, 10_000)] == [0.5, 0.5, 2.0, 5.0, 5.0]


def test_only_tools_that_can_become_a_task_wait_less() -> None:
    assert patience("submit_workflow", {"wait_seconds": 10, "inputs": {}}) == {"wait_seconds": 1.0, "inputs": {}}
    assert patience("inspect_run", {"wait_seconds": 0}) == {"wait_seconds": 0}
