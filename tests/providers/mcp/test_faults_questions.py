"""What servers ask of their client: answered, put to the person behind the task, or refused, but never left open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import Person, Schema, called, heard, row_of, task

from gleitzeit.core.errors import GleitzeitError, QuestionDeclinedError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]

NAME: dict[str, Any] = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


def named(name: str) -> Person:
    """Somebody who answers with a name."""
    return Person(lambda _message, _schema: {"name": name})


def form(message: str) -> dict[str, Any]:
    params = {"mode": "form", "message": message, "requestedSchema": NAME}
    return {"method": "elicitation/create", "params": params}


async def reply_to(
    hub: MCPHubProvider, request: Mapping[str, Any], person: Person | None = None, run: str = "run"
) -> dict[str, Any]:
    """What the server was told, as a JSON-RPC result or error."""
    reply: dict[str, Any] = (await called(hub, "asking.ask", request, by=task(10, person, run)))["reply"]
    return reply


async def test_requests_that_nobody_answers_are_refused_at_once(open_hub: OpenHub) -> None:
    sampling: dict[str, Any] = {"messages": [], "maxTokens": 1}
    with anyio.fail_after(20):
        async with open_hub(raw("asking")) as hub:
            for method in ("unheard/of", "tools/list", "server/discover"):
                assert (await reply_to(hub, {"method": method}))["error"]["code"] == -32601, method
            refusal = (await reply_to(hub, {"method": "sampling/createMessage", "params": sampling}))["error"]
            assert refusal["code"] in (-32600, -32601)
            assert "sampling" in refusal["message"]
            assert await reply_to(hub, {"method": "ping"}) == {"result": {}}


async def test_the_folders_of_the_server_are_its_roots(open_hub: OpenHub, tmp_path: Path) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("asking", roots=[str(tmp_path)])) as hub:
            reply = await reply_to(hub, {"method": "roots/list"})
    assert [root["uri"] for root in reply["result"]["roots"]] == [tmp_path.as_uri()]


@pytest.mark.parametrize("era", ERAS)
async def test_a_question_is_put_to_the_person_behind_the_task(open_hub: OpenHub, era: str) -> None:
    person = named("Ada")
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            reply = await reply_to(hub, form("Who are you?"), person)
            assert (await row_of(hub, "asking"))["restarts"] == 0
    assert reply == {"result": {"action": "accept", "content": {"name": "Ada"}}}
    ((message, schema),) = person.questions
    assert "Who are you?" in message
    assert schema is not None
    assert schema["properties"] == NAME["properties"]


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("action", ["decline", "cancel"])
async def test_a_question_that_is_declined_is_declined_to_the_server(open_hub: OpenHub, era: str, action: str) -> None:
    def decline(_message: str, _schema: Schema) -> Any:
        raise QuestionDeclinedError("no", details={"action": action})

    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            reply = await reply_to(hub, form("Who are you?"), Person(decline))
    assert reply == {"result": {"action": action}}


@pytest.mark.parametrize("era", ERAS)
async def test_a_question_outside_of_a_run_ends_the_call_or_is_declined(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            try:
                reply = await reply_to(hub, form("Who are you?"))
            except GleitzeitError:
                reply = {}
            assert "content" not in reply.get("result", {})
            assert await heard(hub, "asking", "tools/list")


@pytest.mark.parametrize("era", ERAS)
async def test_a_page_to_visit_is_shown_with_its_address(open_hub: OpenHub, era: str) -> None:
    person = Person(lambda _message, _schema: {})
    url = "https://example.org/sign-in?state=7"
    params = {"mode": "url", "message": "Sign in, please", "url": url, "elicitationId": "e1"}
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            reply = await reply_to(hub, {"method": "elicitation/create", "params": params}, person)
    assert reply["result"]["action"] == "accept"
    ((message, _),) = person.questions
    assert "Sign in, please" in message
    assert url in message


@pytest.mark.parametrize("era", ERAS)
async def test_each_of_several_calls_gets_the_answers_of_its_own_person(open_hub: OpenHub, era: str) -> None:
    replies: dict[str, Any] = {}
    people: dict[str, Person] = {}
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            await reply_to(hub, form("first"), named("nobody"))
            async with anyio.create_task_group() as tasks:

                async def call(name: str) -> None:
                    replies[name] = await reply_to(hub, form(f"for {name}"), people[name], name)

                for name in ("Ada", "Grace", "Emmy"):
                    people[name] = named(name)
                    tasks.start_soon(call, name)
    for name, person in people.items():
        assert replies[name] == {"result": {"action": "accept", "content": {"name": name}}}
        assert [f"for {name}" in message for message, _ in person.questions] == [True]


async def test_the_first_questions_of_calls_side_by_side_never_reach_the_wrong_person(open_hub: OpenHub) -> None:
    people = {name: named(name) for name in ("Ada", "Grace")}
    with anyio.fail_after(20):
        async with open_hub(raw("asking")) as hub, anyio.create_task_group() as tasks:
            await heard(hub, "asking", "tools/list")

            async def call(name: str) -> None:
                reply = await reply_to(hub, form(f"for {name}"), people[name], name)
                assert reply.get("result", {}).get("content", {"name": name}) == {"name": name}

            for name in people:
                tasks.start_soon(call, name)
    for name, person in people.items():
        assert all(f"for {name}" in message for message, _ in person.questions)


@pytest.mark.parametrize("params", [{}, {"message": 5}, {"message": "x", "requestedSchema": "none"}, {"mode": "song"}])
@pytest.mark.parametrize("era", ERAS)
async def test_a_question_of_no_sense_leaves_nobody_waiting(
    open_hub: OpenHub, era: str, params: dict[str, Any]
) -> None:
    person = named("Ada")
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era=era)) as hub:
            try:
                await reply_to(hub, {"method": "elicitation/create", "params": params}, person)
            except TimeoutError:
                pytest.fail("nobody answered")
            except GleitzeitError:
                pass
            assert await heard(hub, "asking", "tools/list")


async def test_state_of_a_modern_server_comes_back_to_it_unchanged(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era="modern")) as hub:
            person = named("Ada")
            result = await called(hub, "asking.ask", form("Who?"), by=task(10, person))
    assert result["state"] is True


async def test_a_modern_server_that_asks_without_an_end_is_stopped(open_hub: OpenHub) -> None:
    person = Person(lambda _message, _schema: {})
    with anyio.fail_after(20):
        async with open_hub(raw("asking", era="modern")) as hub:
            with pytest.raises(GleitzeitError) as failure:
                await called(hub, "asking.insist", by=task(15, person))
    assert not isinstance(failure.value, TimeoutError)
    assert 1 < len(person.questions) <= 100
