"""What a server asks during a call, and what becomes of it when the call ends otherwise."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from tests.loops import BOTH_LOOPS

from gleitzeit.core import errors
from gleitzeit.core.errors import ConnectionLostError
from gleitzeit_mcp.session.exchange import Listener
from gleitzeit_mcp.session.session import Session
from gleitzeit_mcp.transports.base import Message

pytestmark = pytest.mark.anyio


@pytest.fixture(params=BOTH_LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops: their timers differ."""
    return request.param


class Wire:
    """Keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self._more = anyio.Event()

    async def send(self, message: Message, headers: Mapping[str, str] | None = None) -> None:
        self.sent.append(message)
        self._more.set()
        self._more = anyio.Event()

    async def until(self, count: int) -> None:
        while len(self.sent) < count:
            await self._more.wait()

    def answers(self) -> dict[Any, Message]:
        return {message["id"]: message for message in self.sent if "method" not in message}


class Person:
    """Thinks until told otherwise."""

    def __init__(self) -> None:
        self.asked = 0
        self.asking = anyio.Event()
        self.ready = anyio.Event()

    async def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        self.asked += 1
        self.asking.set()
        await self.ready.wait()
        return {"action": "accept", "content": {}}


def question(number: int | str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": f"q{number}", "method": "elicitation/create", "params": {"message": "?"}}


@asynccontextmanager
async def opened() -> AsyncGenerator[tuple[Session, Wire]]:
    session, wire = Session(), Wire()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            session.open(wire, tasks)
            yield session, wire
            tasks.cancel_scope.cancel()


async def called(session: Session, person: Person, ends: list[Any], owner: str = "me", timeout: float = 5) -> None:
    try:
        listener = Listener(answer=person, owner=owner)
        ends.append(await session.request("tools/call", {}, listener=listener, timeout=timeout))
    except errors.GleitzeitError as error:
        ends.append(error)


async def test_a_result_ends_the_call_although_a_question_is_open() -> None:
    ends: list[Any] = []
    person = Person()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends)
        await wire.until(1)
        session.received(question(1))
        session.received(question(2))
        await person.asking.wait()
        session.received({"jsonrpc": "2.0", "id": 1, "result": {"done": True}})
    assert ends == [{"done": True}]
    assert person.asked == 1
    assert not wire.answers()


async def test_a_lost_connection_ends_the_call_although_questions_are_open() -> None:
    ends: list[Any] = []
    person = Person()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends)
        await wire.until(1)
        session.received(question(1))
        session.received(question(2))
        await person.asking.wait()
        session.ended()
    assert isinstance(ends[0], ConnectionLostError)
    assert person.asked == 1


async def test_a_question_that_the_server_takes_back_is_not_put() -> None:
    ends: list[Any] = []
    person = Person()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends)
        await wire.until(1)
        session.received(question(1))
        session.received(question(2))
        session.received({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": "q2"}})
        await person.asking.wait()
        person.ready.set()
        await wire.until(2)
        session.received({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert person.asked == 1
    assert set(wire.answers()) == {"q1"}


async def test_of_a_thousand_questions_most_are_refused_and_the_call_can_end() -> None:
    ends: list[Any] = []
    person = Person()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends)
        await wire.until(1)
        for number in range(1_000):
            session.received(question(number))
        await wire.until(900)
        session.received({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert ends == [{}]
    assert all("error" in answer for answer in wire.answers().values())


async def test_the_time_that_a_person_takes_is_not_the_server_s() -> None:
    ends: list[Any] = []
    person = Person()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends, "me", 0.2)
        await wire.until(1)
        session.received(question(1))
        await person.asking.wait()
        with anyio.move_on_after(0.4):  # longer than the call may take
            await anyio.sleep_forever()
        assert not ends
        person.ready.set()
    assert isinstance(ends[0], errors.TimeoutError)


async def test_a_question_is_held_back_until_only_one_call_can_be_meant() -> None:
    ends: list[Any] = []
    people = {"first": Person(), "second": Person()}
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        for owner, person in people.items():
            calls.start_soon(called, session, person, ends, owner)
        await wire.until(2)
        session.received(question(1))
        session.received({"jsonrpc": "2.0", "id": 1, "result": {}})
        people["second"].ready.set()
        await people["second"].asking.wait()
        await wire.until(3)
        session.received({"jsonrpc": "2.0", "id": 2, "result": {}})
    assert people["first"].asked == 0
    assert people["second"].asked == 1


@pytest.mark.parametrize("progress", [10**400, True, None, "much", float("inf")])
async def test_progress_that_is_no_number_is_left_out(progress: Any) -> None:
    reports: list[Any] = []

    async def report(*told: Any) -> None:
        reports.append(told)

    async with opened() as (session, wire), anyio.create_task_group() as calls:

        async def call() -> None:
            await session.request("tools/call", {}, listener=Listener(report=report))

        calls.start_soon(call)
        await wire.until(1)
        for value in (progress, 1):
            params = {"progressToken": 1, "progress": value}
            session.received({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        session.received({"jsonrpc": "2.0", "id": 1, "result": {}})
    assert reports == [(1, None, None)]


@pytest.mark.parametrize("answered", [False, True])
async def test_a_report_to_a_slow_host_ends_with_the_time(answered: bool) -> None:
    ends: list[Any] = []

    async def report(*_progress: Any) -> None:
        await anyio.sleep_forever()

    async def call() -> None:
        try:
            ends.append(await session.request("tools/call", {}, listener=Listener(report=report), timeout=0.1))
        except errors.GleitzeitError as error:
            ends.append(error)

    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(call)
        await wire.until(1)
        params = {"progressToken": 1, "progress": 1}
        session.received({"jsonrpc": "2.0", "method": "notifications/progress", "params": params})
        if answered:
            session.received({"jsonrpc": "2.0", "id": 1, "result": {"done": True}})
    assert ends == [{"done": True}] if answered else isinstance(ends[0], errors.TimeoutError)


@pytest.mark.parametrize("timeout", [0.0001, 0, -1])
async def test_a_question_in_the_last_moment_does_not_break_the_call(timeout: float) -> None:
    ends: list[Any] = []
    person = Person()
    person.ready.set()
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, person, ends, "me", timeout)
        await wire.until(1)
        for number in range(3):
            session.received(question(number))
    assert isinstance(ends[0], errors.TimeoutError)


async def test_who_gives_a_call_up_late_tells_the_server() -> None:
    ends: list[Any] = []
    async with opened() as (session, wire), anyio.create_task_group() as calls:
        calls.start_soon(called, session, Person(), ends, "me", 0.05)
        await wire.until(2)
        session.received({"jsonrpc": "2.0", "id": 1, "result": {"too": "late"}})
    assert isinstance(ends[0], errors.TimeoutError)
    assert [message.get("method") for message in wire.sent] == ["tools/call", "notifications/cancelled"]
