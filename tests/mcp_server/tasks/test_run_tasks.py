"""Calls that go on as tasks, for clients that declare the extension on the request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError
from tests.mcp_server.tasks.task_client import Created, Data, Tasks, cancel, create, get, heard, listening, seen, update
from tests.ways import some

Connect = Callable[..., AbstractAsyncContextManager[Client]]

pytestmark = pytest.mark.anyio

AGE = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
ASKING = {"method": "probe/ask", "parameters": {"message": "How old?", "schema": AGE}}


WAYS = [("pipes", "auto"), ("http", "auto"), ("memory", "auto")]


@pytest.fixture(params=some([("http", "auto")], WAYS), ids="-".join)
def way(request: pytest.FixtureRequest) -> Any:
    """The modern era only: no other has tasks."""
    return request.param


def data_of(result: types.CallToolResult) -> Data:
    data: Data = result.structured_content
    assert isinstance(data, dict)
    return data


def asleep(mark: Path, *more: Mapping[str, Any]) -> Data:
    return {"tasks": [{"id": "a", "method": "probe/sleep", "parameters": {"mark": str(mark)}}, *more]}


async def never_asked(_: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
    raise AssertionError(f"asked outside of the task: {params}")


async def test_a_call_that_takes_longer_is_a_task_and_its_end_is_the_tools_answer(connect: Connect) -> None:
    tasks = Tasks(lambda requests: {key: {"action": "accept", "content": {"age": 7}} for key in requests})
    document = {
        "tasks": [{"id": "a", **ASKING}, {"id": "b", "method": "probe/echo", "parameters": {"text": "is ${a.age}"}}]
    }
    with anyio.fail_after(15):
        async with connect(extensions=[tasks], elicitation_callback=never_asked) as client:
            result = await client.call_tool("submit_workflow", {"workflow": document, "wait_seconds": 0})
            inspected = await client.call_tool("inspect_run", {"run_id": data_of(result)["run_id"]})
    assert data_of(result)["outputs"] == {"b": {"text": "is 7"}}
    assert data_of(inspected)["outputs"] == data_of(result)["outputs"]
    created = tasks.created[0]
    assert set(created) == {
        "taskId", "status", "statusMessage", "createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs",
    }  # fmt: skip
    assert created["status"] == "working"
    assert created["pollIntervalMs"] == 500


async def test_a_quick_call_is_just_answered(connect: Connect) -> None:
    tasks = Tasks()
    with anyio.fail_after(15):
        async with connect(extensions=[tasks]) as client:
            result = await client.call_tool("call_method", {"method": "probe/echo", "parameters": {"text": "hi"}})
    assert data_of(result)["outputs"] == {"text": "hi"}
    assert not tasks.created


async def test_a_task_is_found_while_it_works_and_cancelled(connect: Connect, tmp_path: Path) -> None:
    mark, tasks = tmp_path / "mark", Tasks()
    with anyio.fail_after(15):
        async with connect(extensions=[tasks]) as client:
            created = await create(client, "submit_workflow", workflow=asleep(mark), wait_seconds=0)
            working = await get(client.session, created["taskId"])
            async with listening(client.session, [created["taskId"]]):
                await heard(tasks.events, "working")
                acknowledged = await cancel(client.session, created["taskId"])
                told = await heard(tasks.events, "cancelled")
            found = await get(client.session, created["taskId"])
            again = await cancel(client.session, created["taskId"])
    assert (created["status"], working["status"]) == ("working", "working")
    assert acknowledged == again == {}
    assert found["status"] == "cancelled"
    assert "result" not in found
    assert told.keys() - {"_meta"} == found.keys()
    assert mark.read_text() == "stopped"


async def test_what_fails_is_completed_with_the_tools_error(connect: Connect) -> None:
    document = {"tasks": [{"id": "a", **ASKING}, {"id": "b", "method": "probe/fail", "dependencies": ["a"]}]}
    tasks = Tasks(lambda requests: {key: {"action": "accept", "content": {"age": 7}} for key in requests})
    with anyio.fail_after(15):
        async with connect(extensions=[tasks], elicitation_callback=never_asked) as client:
            result = await client.call_tool("submit_workflow", {"workflow": document, "wait_seconds": 0})
            found = await get(client.session, tasks.created[0]["taskId"])
    assert result.is_error
    assert data_of(result)["failed"][0]["task_id"] == "b"
    assert found["status"] == "completed"
    assert found["result"]["isError"] is True


async def test_an_answer_that_does_not_fit_is_asked_for_again_under_another_key(connect: Connect) -> None:
    tasks = Tasks()
    with anyio.fail_after(15):
        async with connect(extensions=[tasks], elicitation_callback=never_asked) as client:
            created = await create(client, "call_method", **ASKING, timeout_seconds=0)
            first = (await seen(tasks, client, created["taskId"], "input_required"))["inputRequests"]
            (key,) = first
            wrong = {"action": "accept", "content": {"age": "old"}}
            async with listening(client.session, [created["taskId"]]):
                await heard(tasks.events, "input_required")
                assert await update(client.session, created["taskId"], {key: wrong, "other": 5}) == {}
                second = (await heard(tasks.events, "input_required"))["inputRequests"]
            (another,) = second
            await update(client.session, created["taskId"], {key: {"action": "accept", "content": {"age": 6}}})
            still = await get(client.session, created["taskId"])
            await update(client.session, created["taskId"], {another: {"action": "accept", "content": {"age": 7}}})
            done = await seen(tasks, client, created["taskId"], "completed")
    assert first[key]["method"] == "elicitation/create"
    assert first[key]["params"] == {"mode": "form", "message": "How old?", "requestedSchema": AGE}
    assert another != key
    assert "age" in second[another]["params"]["message"].splitlines()[0]
    assert still["inputRequests"] == second
    assert done["result"]["structuredContent"]["outputs"] == {"age": 7}


async def test_a_response_that_is_none_is_refused_and_the_question_stays(connect: Connect) -> None:
    tasks = Tasks()
    with anyio.fail_after(15):
        async with connect(extensions=[tasks], elicitation_callback=never_asked) as client:
            created = await create(client, "call_method", **ASKING, timeout_seconds=0)
            task = await seen(tasks, client, created["taskId"], "input_required")
            (key,) = task["inputRequests"]
            with pytest.raises(MCPError) as refused:
                await update(client.session, created["taskId"], {key: {"ignored": True}})
            still = await get(client.session, created["taskId"])
    assert refused.value.error.code == types.INVALID_PARAMS
    assert list(still["inputRequests"]) == [key]


async def test_a_client_that_cannot_ask_gets_the_question_as_the_answer(connect: Connect) -> None:
    tasks = Tasks()
    with anyio.fail_after(15):
        async with connect(extensions=[tasks]) as client:
            result = await client.call_tool("call_method", {**ASKING, "timeout_seconds": 0})
            question = data_of(result)["questions"][0]
            answered = await client.call_tool(
                "answer_question",
                {"run_id": data_of(result)["run_id"], "question_id": question["question_id"], "answer": {"age": 3}},
            )
    assert data_of(result)["status"] == "waiting"
    assert "answer_question" in data_of(result)["next"]
    assert data_of(answered)["status"] == "completed"


@pytest.mark.parametrize("forged", ["nothing", "0123456789abcdef.run", ".run", "a.b", "\x00.run", "💥" * 1000])
async def test_an_id_that_was_never_given_is_no_task(connect: Connect, forged: str) -> None:
    with anyio.fail_after(15):
        async with connect(extensions=[Tasks()]) as client:
            for request in (get, cancel):
                with pytest.raises(MCPError) as refused:
                    await request(client.session, forged)
                assert refused.value.error.code == types.INVALID_PARAMS
            with pytest.raises(MCPError) as refused:
                await update(client.session, forged, {})
            assert refused.value.error.code == types.INVALID_PARAMS


async def test_what_is_asked_before_there_is_a_task_is_asked_as_ever(connect: Connect, tmp_path: Path) -> None:
    sleep = {"id": "b", "method": "probe/sleep", "dependencies": ["a"]}

    async def person(_: ClientRequestContext, __: types.ElicitRequestParams) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"age": 7})

    with anyio.fail_after(15):
        async with connect(extensions=[Tasks()], elicitation_callback=person) as client:
            document = {"tasks": [{"id": "a", **ASKING}, sleep]}
            asked = await client.session.call_tool(
                "submit_workflow", {"workflow": document}, allow_input_required=True, allow_claimed=True
            )
            assert isinstance(asked, types.InputRequiredResult)
            assert asked.input_requests is not None
            answers = {key: types.ElicitResult(action="accept", content={"age": 7}) for key in asked.input_requests}
            created = await client.session.call_tool(
                "submit_workflow",
                {"workflow": document},
                input_responses=dict(answers),
                request_state=asked.request_state,
                allow_input_required=True,
                allow_claimed=True,
            )
            runs = data_of(await client.call_tool("list_runs", {}))["runs"]
    assert isinstance(created, Created)
    assert created.data["status"] == "working"
    assert not created.data.keys() & {"requestState", "inputRequests", "result"}
    assert [f"{run['run_id']}.run" for run in runs] == [created.data["taskId"]]


async def test_a_client_that_takes_a_task_gets_it_soon_unless_it_wants_to_wait(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect(extensions=[Tasks()]) as client:
            began = anyio.current_time()
            created = await create(client, "call_method", method="probe/sleep")
            waited = anyio.current_time() - began
            again = await create(client, "call_method", method="probe/sleep", timeout_seconds=waited + 1.5)
            longer = anyio.current_time() - began - waited
    assert created["taskId"].endswith(".method")
    assert again["taskId"].endswith(".method")
    assert longer >= waited + 1.5


async def test_a_saved_workflow_called_as_a_tool_goes_on_as_a_task_too(connect: Connect) -> None:
    tasks = Tasks(lambda requests: {key: {"action": "accept", "content": {"age": 7}} for key in requests})
    document = {
        "name": "how old",
        "tasks": [{"id": "a", "method": "probe/sleep", "timeout": 2, "on_error": "continue"}],
    }
    with anyio.fail_after(15):
        async with connect(extensions=[tasks]) as client:
            await client.call_tool("save_workflow", {"workflow": document})
            (tool,) = [tool for tool in (await client.list_tools()).tools if tool.name.startswith("wf_")]
            result = await client.call_tool(tool.name, {})
    assert tasks.created[0]["taskId"].endswith(".run")
    assert data_of(result)["status"] == "completed"


async def test_a_resumed_run_is_a_task_of_its_own(connect: Connect) -> None:
    document = {"tasks": [{"id": "a", "method": "probe/fail"}]}
    with anyio.fail_after(15):
        async with connect(extensions=[Tasks()]) as client:
            failed = data_of(await client.call_tool("submit_workflow", {"workflow": document}))
            changes = {"a": {"method": "probe/sleep"}}
            created = await create(client, "resume_run", run_id=failed["run_id"], changes=changes)
            inspected = data_of(await client.call_tool("inspect_run", {"run_id": created["taskId"].partition(".")[0]}))
            old = await get(client.session, f"{failed['run_id']}.run")
    assert inspected["resumed_from"] == failed["run_id"]
    assert old["status"] == "completed"
