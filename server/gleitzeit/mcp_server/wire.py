"""Standard input and output as the wire: one JSON message a line, and nobody else's output among them."""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import select
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

import anyio
import anyio.lowlevel
from anyio.abc import ObjectReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCResponse,
    RequestId,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

logger = logging.getLogger(__name__)

LONGEST_LINE = 64 * 1024 * 1024
_CHUNK = 256 * 1024
_LAST_WORDS = 0.5


class MalformedFrameError(Exception):
    """A line that is no message; `answer` is what its sender is told, if it can be told anything."""

    def __init__(self, code: int, message: str, request_id: RequestId | None = None, *, silent: bool = False) -> None:
        super().__init__(message)
        error = JSONRPCError(jsonrpc="2.0", id=request_id, error=ErrorData(code=code, message=message))
        self.answer = None if silent else error


@dataclass(frozen=True, slots=True)
class Wire:
    """The descriptors that lead to the host."""

    source: int
    sink: int


def claim_standard_streams() -> Wire:
    """Move the wire away from the standard streams, for the rest of the process.

    Whoever reads standard input finds its end, and whoever writes to standard output writes to standard error.
    """
    wire = Wire(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # a host may start us without standard error
        os.dup2(nothing, 1)
    if nothing > 2:
        os.close(nothing)
    sys.stdout = sys.stderr
    return wire


class FrameReader(ObjectReceiveStream[SessionMessage | Exception]):
    """Reads messages from a descriptor; a line that is none comes as a `MalformedFrameError`.

    `ended` is set once the host has hung up.

    It waits on the event loop, never in a thread: a thread in `read` could not be stopped before the host writes.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False
        self._ended = False
        self.ended = anyio.Event()

    async def receive(self) -> SessionMessage | Exception:
        """The next message; raises `EndOfStream` when the host has hung up."""
        while True:
            line = self._line()
            if line is None:
                if self._ended:
                    self.ended.set()
                    raise anyio.EndOfStream
                await self._fill()
            elif isinstance(line, Exception):
                return line
            elif line.strip():
                return _decode(line)

    def _line(self) -> bytes | Exception | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            return self._unfinished()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        if self._skipping or len(line) > LONGEST_LINE:
            self._skipping = False
            return MalformedFrameError(INVALID_REQUEST, f"a message has at most {LONGEST_LINE} bytes")
        return line

    def _unfinished(self) -> bytes | None:
        if self._ended and self._buffer:
            line = bytes(self._buffer)
            self._buffer.clear()
            return None if self._skipping else line
        if len(self._buffer) > LONGEST_LINE:
            self._skipping = True
        if self._skipping:
            self._buffer.clear()
        self._searched = len(self._buffer)
        return None

    async def _fill(self) -> None:
        await _ready(self._descriptor, anyio.wait_readable)
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:  # a host may have made its end non-blocking; another process was faster
            return
        except OSError:
            data = b""
        self._ended = not data
        self._buffer += data

    async def aclose(self) -> None:
        """Read no more; the descriptor stays open as long as the process."""
        self._ended = True
        self._buffer.clear()


@dataclass(frozen=True, slots=True)
class Frames:
    """Both directions of the wire; `gone` is set when the host reads no more."""

    read: FrameReader
    write: MemoryObjectSendStream[SessionMessage]
    gone: anyio.Event


@asynccontextmanager
async def open_frames(wire: Wire) -> AsyncGenerator[Frames]:
    """Carry messages over `wire`; what was sent before the end is still written, if the host reads it soon."""
    send, receive = anyio.create_memory_object_stream[SessionMessage](0)
    gone = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_write_frames, wire.sink, receive, gone)
        try:
            yield Frames(FrameReader(wire.source), send, gone)
        finally:
            send.close()
            tasks.cancel_scope.deadline = anyio.current_time() + _LAST_WORDS


async def _write_frames(
    descriptor: int, messages: MemoryObjectReceiveStream[SessionMessage], gone: anyio.Event
) -> None:
    async with messages:
        try:
            async for message in messages:
                await _write(descriptor, _encode(message.message))
        except OSError as error:
            logger.info("the host reads no more: %s", error)
            gone.set()


async def _write(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        if not _writable_now(descriptor):
            await _ready(descriptor, anyio.wait_writable)
        try:
            # A pipe that is ready takes this much without blocking, whatever mode the host has put it in.
            rest = rest[os.write(descriptor, rest[: select.PIPE_BUF]) :]
        except BlockingIOError:
            continue


def _writable_now(descriptor: int) -> bool:
    """Whether a write would not wait; asking so costs a tenth of a turn of the event loop."""
    probe = select.poll()
    probe.register(descriptor, select.POLLOUT)
    return any(event & select.POLLOUT for _, event in probe.poll(0))


async def _ready(descriptor: int, wait: Callable[[int], Awaitable[None]]) -> None:
    try:
        await wait(descriptor)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        await anyio.lowlevel.checkpoint()  # a file or /dev/null: always ready, and nothing that can be waited for


def _decode(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValidationError:
        return _malformed(line)


def _malformed(line: bytes) -> MalformedFrameError:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return MalformedFrameError(PARSE_ERROR, "this line is not JSON; one JSON-RPC message a line is expected")
    message = "this line is no JSON-RPC 2.0 message: an object with jsonrpc, method and, for a request, id is expected"
    if not isinstance(value, dict):
        return MalformedFrameError(INVALID_REQUEST, message)
    fields = cast("dict[str, Any]", value)
    request_id = fields.get("id")
    known = request_id if isinstance(request_id, str | int) and not isinstance(request_id, bool) else None
    # A broken answer to one of our requests must not be answered: its id belongs to us.
    return MalformedFrameError(INVALID_REQUEST, message, known, silent="result" in fields or "error" in fields)


def _encode(message: JSONRPCMessage) -> bytes:
    try:
        return _line_of(message)
    except ValueError:
        logger.exception("a message could not be written as JSON")
        if not isinstance(message, JSONRPCResponse):
            return b""
        error = ErrorData(code=INTERNAL_ERROR, message="the result could not be written as JSON")
        return _line_of(JSONRPCError(jsonrpc="2.0", id=message.id, error=error))


def _line_of(message: JSONRPCMessage) -> bytes:
    return message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
