"""`human/ask` as a task, and `policy.ask`: what a person has to approve, on every way to a method."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.application.permission import Permission
from gleitzeit.config import load_configuration
from gleitzeit.config.settings import Policy
from gleitzeit.core.errors import ForbiddenError
from gleitzeit.core.models import Run
from gleitzeit.engine.base import Reply
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

Open = Callable[..., AbstractAsyncContextManager[Application]]
YES = Reply("accept", answered_by="person")


@pytest.fixture
def opened(registry: ProtocolProviderRegistry, home: Path) -> Open:
    home.mkdir()

    @asynccontextmanager
    async def open_it(**policy: list[str]) -> AsyncGenerator[Application]:
        environ = {f"GLEITZEIT_POLICY__{key.upper()}": json.dumps(value) for key, value in policy.items()}
        config = load_configuration(
            environ={"GLEITZEIT_HOME": str(home), "GLEITZEIT_ENGINE__DATABASE": "memory", **environ}
        )
        async with open_application(config, registry=registry) as application:
            yield application

    return open_it


def ask(**parameters: Any) -> dict[str, Any]:
    return {"tasks": [{"id": "a", "method": "human/ask", "parameters": parameters}]}


async def settled(application: Application, run: Run, *replies: Reply) -> Run:
    """The run once its questions, one after the other, have their replies."""
    with anyio.fail_after(20):
        for reply in replies:
            run = await application.engine.wait(run.id)
            await application.engine.answer(run.id, run.questions[0].id, reply)
        return await application.engine.wait(run.id)


FORM = {"properties": {"name": {"type": "string"}}, "required": ["name"]}


async def test_the_answer_of_a_person_is_the_result_of_a_task(opened: Open) -> None:
    document = {
        "tasks": [
            {"id": "who", "method": "human/ask", "parameters": {"message": "Who?", "schema": FORM}},
            {"id": "loud", "method": "text/upper", "parameters": {"text": "${who.name}"}},
        ]
    }
    async with opened() as application:
        run = await settled(application, await application.submit(document), Reply("accept", {"name": "ann"}))
    assert run.outputs == {"loud": {"text": "ANN"}}


async def test_a_single_call_asks_too_and_text_in_it_is_no_reference(opened: Open) -> None:
    async with opened() as application:
        run = await application.call("human/ask", {"message": "What is ${x}?"})
        run = await application.engine.wait(run.id)
        assert [(one.message, one.schema) for one in run.questions] == [
            ("What is ${x}?", {"type": "object", "properties": {}})
        ]
        assert (await settled(application, run, Reply("accept"))).outputs == {"call": {}}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, "message"),
        ({"message": "?", "schema": {"type": "string"}}, "is that of an object"),
        ({"message": "?", "default": {}}, "a default needs a timeout"),
        ({"message": "?", "timeout": 0}, "timeout"),
        ({"message": "?", "timeout": 1, "schema": FORM, "default": {}}, "name"),
        ({"message": "?", "person": "yes"}, "person"),
        ({"message": "?", "wait": 1}, "wait"),
    ],
)
async def test_what_makes_no_question_is_said(opened: Open, parameters: dict[str, Any], words: str) -> None:
    async with opened() as application:
        checked = await application.check(ask(**parameters))
        problems = [diagnostic.message for diagnostic in checked.diagnostics]
        if checked.valid:
            run = await settled(application, await application.submit(checked))
            problems.append(str(run.tasks["a"].error))
    assert words in "\n".join(problems)


async def test_after_its_time_the_default_is_the_answer(opened: Open) -> None:
    document = ask(message="Who?", schema=FORM, timeout=0.05, default={"name": "nobody"})
    async with opened() as application:
        run = await settled(application, await application.submit(document))
        with anyio.fail_after(20):
            async for _ in application.engine.events(run.id, patient=True):
                pass
        run = await application.engine.get(run.id)
    assert run.outputs == {"a": {"name": "nobody"}}


def nested(method: str, parameters: dict[str, Any]) -> dict[str, Any]:
    return {"method": "text/call", "parameters": {"method": method, "parameters": parameters}, "calls": ["*"]}


UPPER = ("text/upper", {"text": "x"})
WAYS: dict[str, dict[str, Any]] = {
    "a task": {"method": UPPER[0], "parameters": UPPER[1]},
    "a call of code": nested(*UPPER),
    "a child run": {
        "method": "workflow/run",
        "parameters": {"workflow": {"tasks": [{"id": "b", "method": UPPER[0], "parameters": UPPER[1]}]}},
    },
    "a child run of code": nested(
        "workflow/run", {"workflow": {"tasks": [{"id": "b", "method": UPPER[0], "parameters": UPPER[1]}]}}
    ),
}


@pytest.mark.parametrize("way", WAYS)
async def test_a_method_is_approved_on_every_way_to_it(opened: Open, way: str) -> None:
    document = {"tasks": [{"id": "a", **WAYS[way]}]}
    async with opened(ask=["text/up*"]) as application:
        run = await application.submit(document)
        run = await application.engine.wait(run.id)
        (question,) = run.questions
        assert question.approval is not None
        assert (question.approval["method"], question.approval["parameters"]) == UPPER
        with pytest.raises(ForbiddenError):
            await application.engine.answer(run.id, question.id, Reply("accept"))
        assert (await settled(application, run, YES)).status == "completed"


async def test_a_single_call_is_approved(opened: Open) -> None:
    async with opened(ask=["text/up*"]) as application:
        run = await settled(application, await application.call(*UPPER), YES)
    assert run.outputs == {"call": {"text": "X"}}


async def test_what_is_denied_is_not_asked_about(opened: Open) -> None:
    async with opened(ask=["text/*"], deny=["text/upper"]) as application:
        with pytest.raises(ForbiddenError):
            await application.call(*UPPER)
        run = await application.submit({"tasks": [{"id": "a", **nested(*UPPER)}]})
        run = await settled(application, run, YES)
    assert run.tasks["a"].error is not None
    assert run.tasks["a"].error.code == "forbidden"


async def test_asking_a_person_needs_no_approval(opened: Open) -> None:
    async with opened(ask=["*"]) as application:
        run = await settled(application, await application.submit(ask(message="Go on?")), Reply("accept"))
    assert run.status == "completed"


def test_each_name_of_a_method_asks() -> None:
    names = {"mcp/tool.fs.write": ("mcp/tool.fs.write", "mcp/tool.disk_write")}
    names["mcp/tool.disk_write"] = names["mcp/tool.fs.write"]
    permission = Permission(Policy(ask=("mcp/tool.fs.*",)), lambda method: names.get(method, (method,)))
    assert [permission.asks(name) for name in (*names, "mcp/tool.time.now")] == [True, True, False]
    assert not Permission(Policy()).asks("mcp/tool.fs.write")
