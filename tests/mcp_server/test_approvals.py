"""Approvals are a person's alone: a model that tries every tool gets none, and a host's person is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, cast

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client import ClientRequestContext

from gleitzeit.application import Application
from gleitzeit.core.models import Run
from gleitzeit.core.nesting import PATH_KEY
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.tools.origin import has_person

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]
Data = dict[str, Any]

pytestmark = pytest.mark.anyio

HERE = Path(__file__).parent
WRITE = {"method": "probe/write", "parameters": {"text": "x"}}
ASK = {"method": "human/ask", "parameters": {"message": "Deploy?", "person": True}}
THROUGH_ANOTHER = cast("types.RequestParamsMeta", {PATH_KEY: "outer"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a Gleitzeit in which a person has to approve what the probe writes."""
    folder = tmp_path / "home"
    (folder / "files").mkdir(parents=True)
    config = {
        "providers": {
            "modules": ["probe"],
            "path": [str(HERE)],
            "python": {"tier": "none", "calls": {"allow": ["probe/*", "human/*", "workflow/*"]}},
        },
        "policy": {"ask": ["probe/wr*"]},
    }
    (folder / "config.yaml").write_text(json.dumps(config), encoding="utf-8")
    return folder


class Person:
    """Says the same to whatever the host asks."""

    def __init__(self, action: Any = "accept") -> None:
        self.action = action
        self.asked: list[types.ElicitRequestFormParams] = []

    async def __call__(self, _: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        assert isinstance(params, types.ElicitRequestFormParams)
        self.asked.append(params)
        return types.ElicitResult(action=self.action, content={} if self.action == "accept" else None)


def one(task: Mapping[str, Any], **more: Any) -> Data:
    return {"workflow": {"name": "w", "tasks": [{"id": "a", **task, **more}]}}


def python(task: Mapping[str, Any]) -> Data:
    code = f"from gleitzeit_sandbox import call_sync\nresult = call_sync({task['method']!r}, **{task['parameters']!r})"
    return {"method": "python/execute", "parameters": {"code": code}, "calls": ["probe/*", "human/*"]}


def inside(task: Mapping[str, Any]) -> Data:
    return {"method": "workflow/run", "parameters": one(task)}


def itself(task: Mapping[str, Any]) -> Data:
    return dict(task)


NESTED = {"itself": itself, "in code": python, "in a workflow": inside}


def data_of(result: types.CallToolResult) -> Data:
    data: Data = result.structured_content
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize(
    ("task", "nested"), [(WRITE, "itself"), (ASK, "in code"), (WRITE, "in code"), (ASK, "in a workflow")]
)
async def test_the_person_at_the_host_approves(connect: Connect, task: Data, nested: str) -> None:
    person = Person()
    with anyio.fail_after(30):
        async with connect(elicitation_callback=person) as client:
            submitted = data_of(
                await client.call_tool("submit_workflow", {**one(NESTED[nested](task)), "wait_seconds": 20})
            )
    assert submitted["status"] == "completed", submitted
    assert len(person.asked) == 1
    if task is WRITE:
        assert "May probe/write be carried out" in person.asked[0].message
        assert '{"text":"x"}' in person.asked[0].message


async def test_what_the_person_at_the_host_declines_is_not_carried_out(connect: Connect) -> None:
    person = Person("decline")
    with anyio.fail_after(30):
        async with connect(elicitation_callback=person) as client:
            called = await client.call_tool("call_method", WRITE)
    assert called.is_error
    assert data_of(called)["failed"][0]["code"] == "question_declined"
    assert len(person.asked) == 1


async def test_what_comes_through_another_gleitzeit_is_no_person(connect: Connect) -> None:
    """There a model may have answered; here nobody is even asked."""
    person = Person()
    with anyio.fail_after(30):
        async with connect(elicitation_callback=person) as client:
            called = data_of(await client.call_tool("call_method", WRITE, meta=THROUGH_ANOTHER))
    assert (called["status"], person.asked) == ("waiting", [])
    assert "gleitzeit runs answer" in called["next"]


_LAST = ("cancel_run", "delete_workflow")


class Model:
    """Has the tools and nothing else, and wants its own approval."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.refusals: list[str] = []

    async def call(self, tool: str, **arguments: Any) -> Data:
        result = await self._client.call_tool(tool, arguments)
        data = data_of(result)
        if "error" in data:
            self.refusals.append(data["error"].get("code", ""))
        return data

    async def everything(self, run: Data) -> None:
        """Every tool there is, with whatever might move the run."""
        run_id, questions = run["run_id"], run["questions"]
        for question in questions:
            await self.answer(run_id, question["question_id"])
        await self.call("save_workflow", name="mine", **one(WRITE))
        tools = [tool.name for tool in (await self._client.list_tools()).tools]
        assert {*TOOLS, "wf_mine"} <= {*tools}
        for tool in sorted(tools, key=_LAST.__contains__):
            for arguments in self._arguments(tool, run_id, questions[0]["question_id"]):
                answer = await self.call(tool, **arguments)
                for new in answer.get("questions", ()):
                    await self.answer(answer["run_id"], new["question_id"])

    async def answer(self, run_id: str, question_id: str) -> None:
        replies: list[Data] = [{"answer": {}}, {"answer": {"approve": True}}, {"decline": True}]
        for given in replies:
            await self.call("answer_question", run_id=run_id, question_id=question_id, wait_seconds=0, **given)

    def _arguments(self, tool: str, run_id: str, question_id: str) -> list[Data]:
        run, now = {"run_id": run_id}, {"wait_seconds": 0.2}
        spoof = {"id": "a", "method": "human/ask", "parameters": {"message": f"answer {question_id} of {run_id}"}}
        arguments: dict[str, list[Data]] = {
            "submit_workflow": [
                {**one(WRITE), **now},
                {**one(python(WRITE)), **now},
                {**one(inside(WRITE)), **now},
                {**one(inside(python(ASK))), **now},
                {**one(WRITE, retry={"max_attempts": 3}, on_error="continue", cache={"ttl": 60, "force": True}), **now},
                {**one(WRITE, foreach=[1, 2]), **now},
                {"workflow": {"name": "spoof", "tasks": [spoof]}, **now},
                {"name": "mine", **now},
            ],
            "call_method": [{**WRITE, "timeout_seconds": 0.2}, {**inside(WRITE), "timeout_seconds": 0.2}],
            "query_method": [{**WRITE, "timeout_seconds": 0.2}],
            "inspect_run": [{**run, "wait_seconds": 0.2}, {**run, "detail": "events"}, {**run, "detail": "document"}],
            "resume_run": [
                {**run, **now},
                {**run, "unknown": {"a": "completed"}, **now},
                {**run, "from_task": "a", **now},
                {**run, "changes": {"a": {"parameters": {"text": "y"}}}, **now},
                {**run, "workflow": one(WRITE)["workflow"], **now},
            ],
            "read_result": [run, {**run, "task_id": "a"}],
            "validate_workflow": [one(WRITE)],
            "save_workflow": [{"name": "mine", **one(inside(WRITE)), "overwrite": True}],
            "list_runs": [{}],
            "list_workflows": [{}],
            "search_methods": [{"query": "approve"}],
            "delete_workflow": [{"name": "mine"}],
            "cancel_run": [run],
            "answer_question": [],
        }
        return arguments.get(tool, [{}])


@pytest.mark.parametrize("nested", NESTED)
@pytest.mark.parametrize("task", [WRITE, ASK], ids=["policy.ask", "human/ask"])
async def test_a_model_that_tries_every_tool_approves_nothing(factory: Factory, task: Data, nested: str) -> None:
    with anyio.fail_after(60):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            model = Model(client)
            run = await model.call("submit_workflow", **one(NESTED[nested](task)), wait_seconds=10)
            assert run["status"] == "waiting", run
            assert f"gleitzeit runs answer {run['run_id']}" in run["next"]
            await model.everything(run)
            application = await face.application.opened()
            runs = (await application.engine.list(limit=100)).runs
            found = [await application.engine.get(one.id) for one in runs]
    assert model.refusals.count("forbidden") >= 3
    assert len(found) > 10
    assert [run.id for run in found if run.name != "spoof" and _has_an_effect(run)] == []


def _has_an_effect(run: Run) -> bool:
    """Whether something was carried out that needs a person; what somebody says of a task that was, is no effect."""
    return any(result.status == "completed" and "decided" not in result.metadata for result in run.tasks.values())


async def test_a_client_that_asks_nobody_cannot_send_an_answer_either(connect: Connect, mode: str) -> None:
    """As one that makes the second round of a call by itself."""
    if mode == "legacy":
        pytest.skip("only the modern era has rounds")
    with anyio.fail_after(30):
        async with connect() as client:
            called = data_of(await client.call_tool("call_method", WRITE))
            (question,) = called["questions"]
            given: dict[str, types.InputResponse] = {question["question_id"]: types.ElicitResult(action="accept")}
            state = json.dumps({"tool": "call_method", "run_id": called["run_id"]})
            again = await client.session.call_tool("call_method", WRITE, input_responses=given, request_state=state)
            shown = data_of(await client.call_tool("inspect_run", {"run_id": called["run_id"]}))
    assert isinstance(again, types.CallToolResult)
    assert data_of(again)["error"]["code"] == "forbidden"
    assert shown["questions"] == [question]


@pytest.mark.parametrize("path", ["outer", "x" * 2_000, 5, None])
def test_whoever_has_come_through_another_gleitzeit_is_no_person_whatever_the_path_says(path: Any) -> None:
    assert has_person({"_meta": {}})
    assert not has_person({"_meta": {PATH_KEY: path}})
