"""Whatever a server sends, taking it in never raises, and nobody waits for an answer once the connection has ended."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_mcp.session.errors import RemoteError
from gleitzeit_mcp.session.exchange import Listener
from gleitzeit_mcp.session.session import Session
from gleitzeit_mcp.transports.base import Message, RequestId
from gleitzeit_mcp.transports.lines import LineBuffer, Overlong
from gleitzeit_mcp.transports.messages import deliver, give_up

ODD: list[Any] = [None, True, False, 0, -1, 1, 2, 1.0, 2.5, 10**30, math.nan, "", "1", "03", "x", [], [1], {}, {"a": 1}]
ODDITIES = st.sampled_from(ODD)
DATA = st.recursive(
    ODDITIES | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
IDS = st.integers(1, 5) | ODDITIES
METHODS = st.sampled_from(
    ["elicitation/create", "sampling/createMessage", "roots/list", "ping", "notifications/message", "unheard/of", ""]
)


def message(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(fields)


PROGRESS = message(progressToken=IDS, progress=ODDITIES, total=ODDITIES, message=ODDITIES)
QUESTION = message(message=DATA, mode=ODDITIES, requestedSchema=DATA, url=ODDITIES, _meta=DATA)
LOG = message(level=ODDITIES, logger=ODDITIES, data=DATA)
MESSAGES: st.SearchStrategy[dict[str, Any]] = st.one_of(
    message(method=st.just("notifications/progress"), params=PROGRESS),
    message(method=st.just("notifications/cancelled"), params=message(requestId=IDS)),
    message(method=st.just("notifications/message"), params=LOG),
    message(method=METHODS, params=DATA),
    message(id=IDS, method=METHODS, params=QUESTION),
    message(id=IDS, method=METHODS | ODDITIES, params=DATA),
    message(id=IDS, result=DATA),
    message(id=IDS, error=message(code=ODDITIES, message=ODDITIES, data=DATA)),
    message(id=IDS, error=DATA),
    st.dictionaries(st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error"]), DATA),
)
CALLS = 4


class Sink:
    """A wire whose other end takes everything; what can't be sent as JSON is an error of the sender."""

    async def send(self, message: Message, headers: Mapping[str, str] | None = None) -> None:
        json.dumps(message)


class Recorder:
    """Takes in what a line becomes."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.failures: list[RequestId] = []

    def received(self, message: dict[str, Any]) -> None:
        json.dumps(message, ensure_ascii=False).encode()  # no half characters get through
        self.messages.append(message)

    def failed(self, request_id: RequestId, error: GleitzeitError) -> None:
        self.failures.append(request_id)

    def ended(self) -> None:
        raise AssertionError("a line does not end a connection")


async def hold_out(messages: list[dict[str, Any]], breaks: int) -> None:
    """Several calls are under way while the messages come, and the connection ends after them."""
    answered: list[Any] = []

    async def answer(request: dict[str, Any]) -> dict[str, Any]:
        answered.append(request)
        return {"action": "accept", "content": {}}

    async def report(progress: float, total: float | None, message: str | None) -> None:
        assert isinstance(progress, int | float)
        assert message is None or isinstance(message, str)

    async def call(session: Session, number: int) -> None:
        listener = Listener(report=report, answer=answer, owner=str(number % 2))
        try:
            result = await session.request("tools/call", {"name": "x"}, listener=listener)
        except (RemoteError, GleitzeitError):
            return
        assert isinstance(result, dict)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            session = Session()
            session.open(Sink(), tasks)
            async with anyio.create_task_group() as calls:
                for number in range(CALLS):
                    calls.start_soon(call, session, number)
                await anyio.wait_all_tasks_blocked()
                for index, message in enumerate(messages):
                    session.received(message)
                    if index == breaks:
                        await anyio.wait_all_tasks_blocked()
                session.ended()
            tasks.cancel_scope.cancel()  # as the end of a connection does


@settings(max_examples=150, deadline=None)
@given(st.lists(MESSAGES, max_size=12), st.integers(0, 12))
def test_no_message_breaks_a_session_or_leaves_a_caller_waiting(messages: list[dict[str, Any]], breaks: int) -> None:
    anyio.run(hold_out, messages, breaks)


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.data())
def test_no_line_however_damaged_breaks_its_reader(sent: dict[str, Any], data: st.DataObject) -> None:
    line = bytearray(json.dumps(sent).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        place = data.draw(st.integers(0, len(line) - 1))
        line[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3) | st.just(b"\\ud83d"))
        if not line:
            break
    recorder = Recorder()
    assert deliver(bytes(line), recorder) is bool(recorder.messages or recorder.failures)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 12_000), max_size=6), st.integers(4_096, 6_000), st.integers(500, 7_000))
def test_lines_are_the_same_in_whatever_pieces_they_come(lengths: list[int], longest: int, size: int) -> None:
    whole = [bytes(32 + (at + length) % 90 for at in range(length)) for length in lengths]
    stream = b"".join(line + b"\n" for line in whole)
    buffer = LineBuffer(longest)
    taken = [line for start in range(0, len(stream), size) for line in buffer.take(stream[start : start + size])]
    assert len(taken) == len(whole)
    for got, sent in zip(taken, whole, strict=True):
        if isinstance(got, Overlong):
            assert len(sent) > longest
            assert got.size == len(sent)
            assert sent.startswith(got.start)
            assert sent.endswith(got.end)
            give_up(got, Recorder(), longest)
        else:
            assert got == sent
            assert len(sent) <= longest
