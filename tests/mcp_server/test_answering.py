"""The requests of a connection: each answered once, unless its client cancels it, and none left behind."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.message import SessionMessage
from mcp_types import CONNECTION_CLOSED, JSONRPCError, JSONRPCRequest, JSONRPCResponse, RequestId
from tests.loops import BOTH_LOOPS

from gleitzeit.mcp_server.answering import Answering, OnRequest
from gleitzeit.mcp_server.inbound import Context, Params
from gleitzeit.mcp_server.open_requests import OpenRequests

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)]


class Client:
    """What the other side gets: answers, notifications, and requests, each of which it answers with its params."""

    def __init__(self) -> None:
        self.answers: list[JSONRPCResponse | JSONRPCError] = []
        self.told: list[tuple[str, Params]] = []
        self.reads = anyio.Event()
        self.reads.set()
        self.gone = self.broken = False

    async def send(self, item: SessionMessage, /) -> None:
        await self.reads.wait()
        if self.gone:
            raise anyio.BrokenResourceError
        if self.broken:
            raise RuntimeError("a defect")
        assert isinstance(item.message, JSONRPCResponse | JSONRPCError)
        self.answers.append(item.message)

    async def send_raw_request(self, method: str, params: Params, opts: CallOptions | None = None) -> dict[str, Any]:
        return {"method": method, **(params or {})}

    async def notify(self, method: str, params: Params, opts: CallOptions | None = None) -> None:
        self.told.append((method, params))


class Connection:
    """A connection whose requests are carried out by what a test gives."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.requests = OpenRequests()
        self.answering = Answering(client.send, self.requests)

    def serve(self, on_request: OnRequest) -> None:
        self.answering.begin(self.client, on_request)

    def ask(
        self,
        request_id: RequestId = 1,
        params: dict[str, Any] | None = None,
        sender: contextvars.Context | None = None,
    ) -> None:
        self.answering.take(JSONRPCRequest(jsonrpc="2.0", id=request_id, method="m", params=params), None, sender)


@pytest.fixture
async def connection(anyio_backend: Any) -> AsyncIterator[Connection]:
    made = Connection(Client())
    yield made
    with anyio.fail_after(5):
        await made.answering.aclose()


async def settled(connection: Connection) -> None:
    with anyio.fail_after(5):
        await connection.requests.settled()
        await anyio.wait_all_tasks_blocked()


async def test_results_and_errors_are_answered_under_the_id_as_it_was_spelled(connection: Connection) -> None:
    async def on_request(_: Context, method: str, params: Params) -> dict[str, Any]:
        match (params or {}).get("fail"):
            case None:
                return {"method": method, "params": params}
            case "known":
                raise MCPError(code=-32003, message="no", data={"why": "so"})
            case _:
                raise ValueError("broken")

    connection.serve(on_request)
    connection.ask("7")
    connection.ask(8, {"fail": "known"})
    connection.ask(9, {"fail": "else"})
    await settled(connection)
    answers = {answer.id: answer.model_dump(exclude_unset=True) for answer in connection.client.answers}
    assert answers["7"]["result"] == {"method": "m", "params": None}
    assert answers[8]["error"] == {"code": -32003, "message": "no", "data": {"why": "so"}}
    assert answers[9]["error"] == {"code": 0, "message": "broken"}


class Slow:
    """A handler that goes on until it is let go; `ended` says how it ended."""

    def __init__(self) -> None:
        self.begun, self.go, self.over = anyio.Event(), anyio.Event(), anyio.Event()
        self.ended = ""
        self.context: Context | None = None

    async def __call__(self, context: Context, _method: str, _params: Params) -> dict[str, Any]:
        self.context = context
        self.begun.set()
        try:
            await self.go.wait()
            self.ended = "by itself"
        except anyio.get_cancelled_exc_class():
            self.ended = "cancelled"
            raise
        finally:
            self.over.set()
        return {}


async def test_what_is_cancelled_is_not_answered(connection: Connection) -> None:
    slow = Slow()
    connection.serve(slow)
    connection.ask(7)
    with anyio.fail_after(5):
        await slow.begun.wait()
        connection.answering.cancel("7")
        await slow.over.wait()
    await settled(connection)
    assert slow.ended == "cancelled"
    assert slow.context is not None
    assert slow.context.cancel_requested.is_set()
    assert connection.client.answers == []


async def test_what_is_cancelled_before_it_has_begun_never_begins(connection: Connection) -> None:
    slow = Slow()
    connection.serve(slow)
    connection.ask(7)
    connection.answering.cancel(7)
    await settled(connection)
    assert not slow.begun.is_set()
    assert connection.client.answers == []
    assert connection.requests.find(7) is None


async def test_what_is_being_answered_can_be_cancelled_no_more(connection: Connection) -> None:
    connection.client.reads = anyio.Event()

    async def on_request(*_: object) -> dict[str, Any]:
        return {"whole": True}

    connection.serve(on_request)
    connection.ask(7)
    await anyio.wait_all_tasks_blocked()
    connection.answering.cancel(7)
    await settled(connection)  # though nobody waits for it
    connection.client.reads.set()
    await anyio.wait_all_tasks_blocked()
    assert [answer.id for answer in connection.client.answers] == [7]


async def test_the_later_of_two_with_one_id_is_the_one_that_can_be_cancelled(connection: Connection) -> None:
    handlers = [Slow(), Slow()]
    waiting = iter(handlers)

    async def on_request(context: Context, method: str, params: Params) -> dict[str, Any]:
        return await next(waiting)(context, method, params)

    connection.serve(on_request)
    for _ in handlers:
        connection.ask(7)
    with anyio.fail_after(5):
        for handler in handlers:
            await handler.begun.wait()
        handlers[0].go.set()
        await handlers[0].over.wait()
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as open_still:
            await connection.requests.settled()
        connection.answering.cancel(7)
        await handlers[1].over.wait()
    await settled(connection)
    assert open_still.cancelled_caught
    assert [handler.ended for handler in handlers] == ["by itself", "cancelled"]
    assert [answer.id for answer in connection.client.answers] == [7]


async def test_a_handler_that_cancels_itself_is_told_of(connection: Connection) -> None:
    async def gone() -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError

    async def on_request(_: Context, __: str, params: Params) -> dict[str, Any]:
        if params:
            await asyncio.ensure_future(gone())
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await anyio.sleep_forever()
        return {}

    connection.serve(on_request)
    connection.ask(1)
    connection.ask(2, {"by": "another"})
    await settled(connection)
    assert sorted((answer.id, answer.error.code) for answer in errors(connection)) == [
        (1, CONNECTION_CLOSED),
        (2, CONNECTION_CLOSED),
    ]


async def test_at_the_end_whoever_still_waits_is_told(connection: Connection) -> None:
    slow = Slow()
    connection.serve(slow)
    for number in (1, 2):
        connection.ask(number)
    with anyio.fail_after(5):
        await slow.begun.wait()
        await connection.answering.aclose()
    assert sorted((answer.id, answer.error.code) for answer in errors(connection)) == [
        (1, CONNECTION_CLOSED),
        (2, CONNECTION_CLOSED),
    ]


async def test_the_end_waits_for_what_puts_things_away(connection: Connection) -> None:
    away = anyio.Event()
    begun = anyio.Event()

    async def on_request(*_: object) -> dict[str, Any]:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                away.set()
        return {}

    connection.serve(on_request)
    connection.ask()
    with anyio.fail_after(5):
        await begun.wait()
        with anyio.CancelScope() as scope:
            scope.cancel()
            await connection.answering.aclose()
    assert away.is_set()


async def test_a_client_that_is_gone_costs_its_own_answers_only(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.client.gone = True

    async def on_request(*_: object) -> dict[str, Any]:
        return {}

    connection.serve(on_request)
    connection.ask()
    await settled(connection)
    assert connection.client.answers == []
    assert not caplog.records


async def test_the_way_back_is_open_until_the_answer(connection: Connection) -> None:
    kept: list[Context] = []

    async def on_request(context: Context, _method: str, _params: Params) -> dict[str, Any]:
        kept.append(context)
        await context.notify("n", {"x": 1})
        await context.progress(1, 2, "half")
        return await context.send_raw_request("ask", {"y": 2})

    connection.serve(on_request)
    connection.ask(1, {"_meta": {"progressToken": "p"}})
    connection.ask(2, {"_meta": {"progressToken": True}})
    await settled(connection)
    half = ("notifications/progress", {"progressToken": "p", "progress": 1, "total": 2, "message": "half"})
    assert connection.client.told.count(half) == 1
    assert len(connection.client.told) == 3
    assert results(connection) == [{"method": "ask", "y": 2}] * 2
    for context in kept:
        assert not context.can_send_request
        with pytest.raises(NoBackChannelError):
            await context.send_raw_request("ask", None)
        await context.notify("late", None)
    assert len(connection.client.told) == 3


async def test_a_request_is_carried_out_in_the_context_of_its_sender(connection: Connection) -> None:
    caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller")

    async def on_request(*_: object) -> dict[str, Any]:
        before = caller.get()
        caller.set("nobody")
        return {"caller": before}

    connection.serve(on_request)
    sender = contextvars.copy_context()
    sender.run(caller.set, "ann")
    for number in (1, 2):
        connection.ask(number, sender=sender)
    await settled(connection)
    assert results(connection) == [{"caller": "ann"}] * 2
    assert sender.run(caller.get) == "ann"


async def test_whatever_a_handler_raises_its_client_is_told(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    class OddError(BaseException):
        pass

    async def on_request(*_: object) -> dict[str, Any]:
        raise OddError

    connection.serve(on_request)
    connection.ask()
    await settled(connection)
    assert [answer.error.code for answer in errors(connection)] == [CONNECTION_CLOSED]
    assert [record.getMessage() for record in caplog.records] == ["a request could not be answered"]


async def test_a_defect_of_ours_costs_one_answer(connection: Connection, caplog: pytest.LogCaptureFixture) -> None:
    async def on_request(*_: object) -> dict[str, Any]:
        return {}

    connection.serve(on_request)
    connection.client.broken = True
    connection.ask(1)
    await settled(connection)
    connection.client.broken = False
    connection.ask(2)
    await settled(connection)
    assert [answer.id for answer in connection.client.answers] == [2]
    assert [record.getMessage() for record in caplog.records] == ["a request could not be answered"]


def errors(connection: Connection) -> list[JSONRPCError]:
    return [answer for answer in connection.client.answers if isinstance(answer, JSONRPCError)]


def results(connection: Connection) -> list[Mapping[str, Any]]:
    return [answer.result for answer in connection.client.answers if isinstance(answer, JSONRPCResponse)]
