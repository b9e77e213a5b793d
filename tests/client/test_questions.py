"""A program answers what its runs ask."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit import GleitzeitClient, Run
from gleitzeit.core.errors import ConflictError, ForbiddenError, NotFoundError, ValidationError
from gleitzeit.core.models import Event

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("registry")]

Opened = Callable[[], AbstractAsyncContextManager[GleitzeitClient]]

MODULE = """
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

ASKED = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}

class Curious(ProtocolProvider):
    async def handle_request(self, method, parameters):
        return await current_task().ask("Which text?", ASKED)

registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(Protocol("curious/v1", methods=["curious/ask"]))
registry.register_provider("curious/v1", Curious("curious", "curious/v1"))
"""

ASKING: dict[str, Any] = {"tasks": [{"id": "a", "method": "curious/ask"}]}


@pytest.fixture(params=["native", "mcp"])
def opened(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    """A client of an engine in this process, or of a server that it starts."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "curious.py").write_text(MODULE)
    (home / "config.yaml").write_text("providers: {modules: [curious], path: [.]}\n")
    monkeypatch.setenv("GLEITZEIT_HOME", str(home))
    monkeypatch.delitem(sys.modules, "curious", raising=False)

    @asynccontextmanager
    async def client() -> AsyncGenerator[GleitzeitClient]:
        server = ["env", f"GLEITZEIT_HOME={home}", sys.executable, "-m", "gleitzeit", "mcp"]
        made = GleitzeitClient() if request.param == "native" else GleitzeitClient(mode="mcp", command=server)
        with anyio.fail_after(30):
            async with made:
                yield made

    return client


async def test_a_run_is_returned_waiting_and_goes_on_once_it_is_answered(
    opened: Opened, request: pytest.FixtureRequest
) -> None:
    async with opened() as client:
        run = await client.run_workflow(ASKING)
        (question,) = run.questions
        again = [event.kind async for event in client.events(run.id)]
        with pytest.raises(ValidationError, match="text"):
            await client.answer_question(run.id, question.id, {"text": 5})
        with pytest.raises(NotFoundError):
            await client.answer_question(run.id, "nothing", {"text": "hi"})
        await client.answer_question(run.id, question.id, {"text": "hi"})
        told = [event async for event in client.events(run.id, after=len(again))]
        ended = await client.get_run(run.id)
        with pytest.raises(ConflictError):
            await client.answer_question(run.id, question.id, {"text": "hi"})
    assert (run.status, question.task_id, question.message) == ("waiting", "a", "Which text?")
    assert question.schema["required"] == ["text"]
    assert again == ["run.submitted", "task.started", "question.asked"]
    assert (ended.status, ended.outputs, ended.questions) == ("completed", {"a": {"text": "hi"}}, ())
    assert told[-1].kind == "run.completed"
    answered = next(event for event in told if event.kind == "question.answered")
    by = "model" if "mcp" in request.node.name else "program"  # a server can't tell a program from a model
    assert answered.data["answered_by"] == by


async def test_whoever_hears_the_events_may_answer_at_once(opened: Opened) -> None:
    async def hear(event: Event) -> None:
        if event.kind == "question.asked":
            await client.answer_question(event.run_id, event.data["question_id"], {"text": "hi"})

    async with opened() as client:
        run: Run = await client.run_workflow(ASKING, on_event=hear)
    assert (run.status, run.outputs) == ("completed", {"a": {"text": "hi"}})


async def test_a_program_does_not_answer_for_a_person(opened: Opened) -> None:
    document = {"tasks": [{"id": "a", "method": "human/ask", "parameters": {"message": "Deploy?", "person": True}}]}
    async with opened() as client:
        run = await client.run_workflow(document)
        (question,) = run.questions
        with pytest.raises(ForbiddenError, match="for a person"):
            await client.answer_question(run.id, question.id, {})
        with pytest.raises(ForbiddenError, match="for a person"):
            await client.answer_question(run.id, question.id, None)
        again = await client.get_run(run.id)
        await client.cancel_run(run.id)
    assert (question.person, again.questions) == (True, run.questions)


async def test_a_program_may_decline_to_answer(opened: Opened) -> None:
    async with opened() as client:
        run = await client.run_workflow(ASKING)
        await client.answer_question(run.id, run.questions[0].id, None)
        [_ async for _ in client.events(run.id)]
        run = await client.get_run(run.id)
    error = run.tasks["a"].error
    assert error is not None
    assert (run.status, error.code) == ("failed", "question_declined")


async def test_a_single_task_is_returned_waiting(opened: Opened) -> None:
    async with opened() as client:
        result = await client.execute_task(method="curious/ask")
    assert result.status == "waiting"
