"""Questions of runs, put to the host's person where it can ask, and left to the model elsewhere."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.shared.exceptions import MCPError

from gleitzeit.application import Application
from gleitzeit.engine.base import Reply
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]
Beside = tuple[Client, Application]
Data = dict[str, Any]

pytestmark = pytest.mark.anyio

AGE = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}, "required": ["age"]}
DEEP = {"type": "object", "properties": {"pets": {"type": "array", "items": {"type": "object"}}}}


class Person:
    """Answers what the host asks: with each of `answers` in turn."""

    def __init__(self, *answers: types.ElicitResult) -> None:
        self.answers = list(answers)
        self.asked: list[types.ElicitRequestFormParams] = []

    async def __call__(self, _: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestFormParams)
        self.asked.append(params)
        return self.answers.pop(0)


def says(**content: Any) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content=content)


def asking(schema: Any = AGE, message: str = "How old?") -> Data:
    return {"method": "probe/ask", "parameters": {"message": message, "schema": schema}}


def workflow(**fields: Any) -> Data:
    return {"workflow": {"tasks": [{"id": "a", **asking(**fields)}]}}


def data_of(result: types.CallToolResult) -> Data:
    data: Data = result.structured_content
    assert isinstance(data, dict)
    return data


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def answered_by(client: Client, run_id: str) -> list[Mapping[str, Any]]:
    inspected = await client.call_tool("inspect_run", {"run_id": run_id, "detail": "events"})
    return [event["data"] for event in data_of(inspected)["events"] if event["kind"] == "question.answered"]


@pytest.mark.parametrize("tool", ["submit_workflow", "call_method", "query_method"])
async def test_the_person_at_the_host_is_asked_and_the_same_run_goes_on(connect: Connect, tool: str) -> None:
    person = Person(says(age=5))
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            called = await client.call_tool(tool, workflow() if tool == "submit_workflow" else asking())
            runs = data_of(await client.call_tool("list_runs", {}))["runs"]
            replies = await answered_by(client, data_of(called)["run_id"])
    outputs = {"a": {"age": 5}} if tool == "submit_workflow" else {"age": 5}
    assert (data_of(called)["status"], data_of(called)["outputs"]) == ("completed", outputs)
    assert [run["run_id"] for run in runs] == [data_of(called)["run_id"]]
    assert [params.message for params in person.asked] == ["How old?"]
    assert person.asked[0].requested_schema == AGE
    assert [(reply["action"], reply["answered_by"]) for reply in replies] == [("accept", "person")]


async def test_several_questions_are_asked_one_after_the_other_or_together(connect: Connect) -> None:
    tasks = [{"id": "a", **asking()}, {"id": "b", **asking(message="And ${a.age}?")}, {"id": "c", **asking()}]
    person = Person(says(age=5), says(age=5), says(age=6))
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            submitted = await client.call_tool("submit_workflow", {"workflow": {"tasks": tasks}})
    assert data_of(submitted)["status"] == "completed"
    assert sorted(params.message for params in person.asked) == ["And 5?", "How old?", "How old?"]


@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_person_may_refuse_to_answer(connect: Connect, action: Any) -> None:
    person = Person(types.ElicitResult(action=action))
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            submitted = await client.call_tool("submit_workflow", workflow())
    assert submitted.is_error
    assert data_of(submitted)["failed"][0]["code"] == "question_declined"


async def test_an_answer_that_does_not_fit_is_asked_for_again(connect: Connect) -> None:
    person = Person(says(age="five"), says(), says(age=5))
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            submitted = await client.call_tool("submit_workflow", workflow())
    assert data_of(submitted)["outputs"] == {"a": {"age": 5}}
    first, second, third = (params.message for params in person.asked)
    assert first == "How old?"
    assert "age" in second
    assert "age" in third
    assert second.endswith("\n\nHow old?")


async def test_a_run_that_was_left_is_asked_for_when_it_is_inspected(connect: Connect) -> None:
    person = Person(says(age=5))
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            submitted = await client.call_tool("submit_workflow", {**workflow(), "wait_seconds": 0})
            assert not person.asked
            run_id = data_of(submitted)["run_id"]
            inspected = await client.call_tool("inspect_run", {"run_id": run_id, "wait_seconds": 10})
    assert data_of(inspected)["outputs"] == {"a": {"age": 5}}


async def test_a_host_that_asks_nobody_leaves_the_answer_to_the_model(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            submitted = await client.call_tool("submit_workflow", workflow())
            shown = data_of(submitted)
            (question,) = shown["questions"]
            key = {"run_id": shown["run_id"], "question_id": question["question_id"]}
            inspected = await client.call_tool("inspect_run", {"run_id": shown["run_id"]})
            tasks = await client.call_tool("inspect_run", {"run_id": shown["run_id"], "detail": "tasks"})
            wrong = await client.call_tool("answer_question", {**key, "answer": {"age": "five"}})
            neither = await client.call_tool("answer_question", key)
            unknown = await client.call_tool("answer_question", {**key, "question_id": "x", "answer": {}})
            answered = await client.call_tool("answer_question", {**key, "answer": {"age": 5}})
            again = await client.call_tool("answer_question", {**key, "answer": {"age": 6}})
            replies = await answered_by(client, shown["run_id"])
    assert shown["status"] == data_of(inspected)["status"] == "waiting"
    assert (question["task_id"], question["message"], question["schema"]) == ("a", "How old?", AGE)
    assert data_of(inspected)["questions"] == [question]
    assert "answer_question" in shown["next"]
    assert question["question_id"] in text_of(submitted)
    assert data_of(tasks)["tasks"][0]["status"] == "waiting"
    assert "age" in data_of(wrong)["error"]["message"]
    assert data_of(neither)["error"]["code"] == "parameters_invalid"
    assert data_of(unknown)["error"]["code"] == "not_found"
    assert data_of(answered)["outputs"] == {"a": {"age": 5}}
    assert data_of(again)["error"]["code"] == "conflict"
    assert [reply["answered_by"] for reply in replies] == ["model"]


async def test_a_model_may_decline(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            called = data_of(await client.call_tool("call_method", asking()))
            key = {"run_id": called["run_id"], "question_id": called["questions"][0]["question_id"]}
            declined = await client.call_tool("answer_question", {**key, "decline": True})
    assert called["status"] == "waiting"
    assert data_of(declined)["failed"][0]["code"] == "question_declined"


async def test_a_question_that_no_form_can_ask_is_left_to_the_model(connect: Connect) -> None:
    person = Person()
    with anyio.fail_after(15):
        async with connect(elicitation_callback=person) as client:
            submitted = await client.call_tool("submit_workflow", workflow(schema=DEEP))
    assert data_of(submitted)["status"] == "waiting"
    assert data_of(submitted)["questions"][0]["schema"] == DEEP
    assert not person.asked


async def test_a_host_that_fails_to_ask_does_not_lose_the_run(connect: Connect, mode: str) -> None:
    async def broken(_: ClientRequestContext, __: types.ElicitRequestParams) -> types.ErrorData:
        return types.ErrorData(code=types.INTERNAL_ERROR, message="no window")

    with anyio.fail_after(15):
        async with connect(elicitation_callback=broken) as client:
            if mode == "auto":  # such a client gives the call up by itself
                with pytest.raises(MCPError, match="no window"):
                    await client.call_tool("submit_workflow", workflow())
            else:
                assert data_of(await client.call_tool("submit_workflow", workflow()))["status"] == "waiting"
            (run,) = data_of(await client.call_tool("list_runs", {}))["runs"]
            inspected = data_of(await client.call_tool("inspect_run", {"run_id": run["run_id"]}))
    assert inspected["questions"]


async def test_a_client_that_wants_progress_hears_of_the_question(connect: Connect, transport: str, mode: str) -> None:
    if (transport, mode) == ("memory", "auto"):
        pytest.skip("a modern client in the same process sends no request, so no token that asks for progress")
    told: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append(message)

    with anyio.fail_after(15):
        async with connect(elicitation_callback=Person(says(age=5))) as client:
            await client.call_tool("submit_workflow", workflow(), progress_callback=hear)
    assert told == ["a question asked: How old?"]


async def rounds(client: Client, arguments: Data, tool: str = "submit_workflow", **fields: Any) -> Any:
    """One round of a call, whatever it is answered with."""
    return await client.session.call_tool(tool, arguments, allow_input_required=True, **fields)


@pytest.fixture
def modern(connect: Connect, mode: str) -> Connect:
    if mode != "auto":
        pytest.skip("clients of the handshake era are asked while the call goes on")
    return lambda: connect(elicitation_callback=Person())


async def test_a_call_goes_on_by_rounds_and_begins_no_second_run(modern: Connect) -> None:
    with anyio.fail_after(15):
        async with modern() as client:
            needed = await rounds(client, workflow())
            assert isinstance(needed, types.InputRequiredResult)
            (question_id,) = needed.input_requests or {}
            silent = await rounds(client, workflow(), request_state=needed.request_state)
            assert list(silent.input_requests) == [question_id]
            stranger = {"stranger": says(age=1)}
            beside = await rounds(client, workflow(), request_state=needed.request_state, input_responses={**stranger})
            assert list(beside.input_requests) == [question_id]
            replies = {question_id: says(age=5), **stranger}
            done = await rounds(client, workflow(), request_state=needed.request_state, input_responses=replies)
            late = await rounds(client, workflow(), request_state=needed.request_state, input_responses=replies)
            runs = data_of(await client.call_tool("list_runs", {}))["runs"]
    assert data_of(done) == data_of(late)
    assert data_of(done)["outputs"] == {"a": {"age": 5}}
    assert len(runs) == 1


@pytest.mark.parametrize(
    "state", ["", "{}", "[1]", "nonsense", json.dumps({"tool": "submit_workflow", "run_id": 3}), "[" * 10_000]
)
async def test_a_state_that_no_call_was_given_is_refused_and_begins_nothing(modern: Connect, state: str) -> None:
    with anyio.fail_after(15):
        async with modern() as client:
            refused = await rounds(client, workflow(), request_state=state)
            runs = data_of(await client.call_tool("list_runs", {}))["runs"]
    assert data_of(refused)["error"]["code"] == "parameters_invalid"
    assert runs == []


async def test_a_state_of_another_tool_is_refused(modern: Connect) -> None:
    with anyio.fail_after(15):
        async with modern() as client:
            needed = await rounds(client, workflow())
            refused = await rounds(client, asking(), "call_method", request_state=needed.request_state)
    assert data_of(refused)["error"]["code"] == "parameters_invalid"


@asynccontextmanager
async def beside(factory: Factory, mode: Literal["auto", "legacy"], person: Any) -> AsyncGenerator[Beside]:
    """A client of a server in this process, and the application behind it."""

    async with factory() as application:

        @asynccontextmanager
        async def opened() -> AsyncGenerator[Application]:
            yield application

        async with (
            open_face(opened) as face,
            Client(build_server(face), mode=mode, cache=None, elicitation_callback=person) as client,
        ):
            yield client, application


async def test_a_run_of_somebody_else_is_neither_shown_nor_answered(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with beside(factory, "auto", Person()) as (client, application):
            theirs = await application.submit(workflow()["workflow"], caller="somebody else")
            theirs = await application.engine.wait(theirs.id)
            state = json.dumps({"tool": "submit_workflow", "run_id": theirs.id})
            replies: Any = {theirs.questions[0].id: says(age=5)}
            refused = await rounds(client, workflow(), request_state=state, input_responses=replies)
            key = {"run_id": theirs.id, "question_id": theirs.questions[0].id}
            unseen = await client.call_tool("answer_question", {**key, "answer": {"age": 5}})
            needed = await rounds(client, workflow())
            own = await rounds(client, workflow(), request_state=needed.request_state, input_responses=replies)
            assert (await application.engine.get(theirs.id)).questions == theirs.questions
    assert data_of(refused)["error"]["code"] == data_of(unseen)["error"]["code"] == "run_not_found"
    assert list(own.input_requests) == list(needed.input_requests)


class Hesitant:
    """Somebody who never answers; `asked` is set once the host asks, `released` once it does so no more."""

    def __init__(self) -> None:
        self.asked = anyio.Event()
        self.released = anyio.Event()

    async def __call__(self, _: ClientRequestContext, __: types.ElicitRequestParams) -> types.ElicitResult:
        self.asked.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.released.set()
        raise AssertionError


async def test_a_question_that_somebody_else_answers_is_taken_back_from_the_host(factory: Factory) -> None:
    person = Hesitant()
    results: list[Data] = []
    with anyio.fail_after(15):
        async with beside(factory, "legacy", person) as (client, application), anyio.create_task_group() as tasks:

            async def submit() -> None:
                results.append(data_of(await client.call_tool("submit_workflow", workflow())))

            tasks.start_soon(submit)
            await person.asked.wait()
            (head,) = (await application.engine.list()).runs
            run = await application.engine.get(head.id)
            await application.engine.answer(run.id, run.questions[0].id, Reply("accept", {"age": 7}))
            await person.released.wait()
    assert results[0]["outputs"] == {"a": {"age": 7}}


@pytest.mark.parametrize(("tool", "status"), [("submit_workflow", "waiting"), ("call_method", "cancelled")])
async def test_a_call_that_is_cancelled_while_the_host_asks_leaves_what_it_leaves_otherwise(
    factory: Factory, tool: str, status: str
) -> None:
    person = Hesitant()
    arguments = workflow() if tool == "submit_workflow" else asking()
    with anyio.fail_after(15):
        async with beside(factory, "legacy", person) as (client, application):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.call_tool, tool, arguments)
                await person.asked.wait()
                tasks.cancel_scope.cancel()
            await person.released.wait()
            (head,) = (await application.engine.list()).runs
            if status == "cancelled":
                assert [event.kind async for event in application.engine.events(head.id)][-1] == "run.cancelled"
            assert (await application.engine.get(head.id)).status == status
