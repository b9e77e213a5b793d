"""The frames of one job, to and from the host, for any number of threads and event loops at once.

Nobody is employed to read: whoever waits for an answer reads, and hands out what is for others.
"""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # else a fork server that is used once would take twice as long to start
    import asyncio

LONGEST_FRAME: Final = 8 << 20
_CHUNK: Final = 1 << 16
_encode: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode

Answer = dict[str, Any]
Settle = Callable[[Answer], None]


class Channel:
    """The worker's end of the socket pair. A fork server makes it for all of its workers, each of which opens it."""

    _socket: socket.socket

    def __init__(self) -> None:
        self._writing = threading.Lock()
        self._state = threading.Condition()
        self._someone_reads = False
        self._received = bytearray()
        self._ids = itertools.count(1)
        self._waiting: dict[int, Settle] = {}
        self._watched_by: dict[asyncio.AbstractEventLoop, int] = {}

    def open(self, descriptor: int) -> None:
        """Use the socket behind a descriptor."""
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, descriptor)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def job(self) -> Any:
        """Wait for the first frame; nothing if the host goes instead."""
        while b"\n" not in self._received:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                return None
            self._received += chunk
        return json.loads(self._next_line())

    def send(self, frame: Mapping[str, Any]) -> None:
        """Write one frame."""
        line = _encode(frame).encode() + b"\n"
        if len(line) > LONGEST_FRAME:
            raise ValueError(f"that is {len(line)} bytes of JSON; at most {LONGEST_FRAME} can be sent")
        with self._writing:
            self._socket.sendall(line)

    def ask(self, frame: Mapping[str, Any]) -> Answer:
        """Write one frame, and hold this thread up until it is answered."""
        answers: list[Answer] = []
        number = self._expect(answers.append)
        try:
            self.send({"id": number, **frame})
            self._read_until(answers)
        finally:
            self._waiting.pop(number, None)
        return answers[0]

    async def ask_later(self, frame: Mapping[str, Any]) -> Answer:
        """Write one frame, and let others run until it is answered."""
        import asyncio

        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        number = self._expect(lambda answer: _settle(loop, future, answer))
        self._watch(loop)
        try:
            self.send({"id": number, **frame})
            return await future
        finally:
            self._waiting.pop(number, None)
            self._unwatch(loop)

    def _expect(self, settle: Settle) -> int:
        number = next(self._ids)
        self._waiting[number] = settle
        return number

    def _read_until(self, answers: list[Answer]) -> None:
        while True:
            with self._state:
                while self._someone_reads and not answers:
                    self._state.wait()
                if answers:
                    return
                self._someone_reads = True
            self._read_some(0)

    def _read_some(self, flags: int) -> None:
        """Read once and hand out what has come; this thread is the one that reads."""
        try:
            chunk = self._socket.recv(_CHUNK, flags)
        except BlockingIOError:
            chunk = None
        with self._state:
            self._someone_reads = False
            if chunk == b"":
                os._exit(1)  # the host is gone, and nobody is left to hear of this job
            self._received += chunk or b""
            while b"\n" in self._received:
                self._hand_out(json.loads(self._next_line()))
            self._state.notify_all()

    def _hand_out(self, answer: Answer) -> None:
        settle = self._waiting.pop(answer["id"], None)
        if settle is not None:
            settle(answer)

    def _next_line(self) -> bytes:
        line, _, rest = bytes(self._received).partition(b"\n")
        self._received = bytearray(rest)
        return line

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        count = self._watched_by.get(loop, 0)
        self._watched_by[loop] = count + 1
        if count == 0:
            loop.add_reader(self._socket.fileno(), self._readable)

    def _unwatch(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watched_by[loop] -= 1
        if self._watched_by[loop] == 0:
            del self._watched_by[loop]
            loop.remove_reader(self._socket.fileno())

    def _readable(self) -> None:
        with self._state:
            if self._someone_reads:
                return
            self._someone_reads = True
        self._read_some(socket.MSG_DONTWAIT)


def _settle(loop: asyncio.AbstractEventLoop, future: asyncio.Future[Answer], answer: Answer) -> None:
    def finish() -> None:
        if not future.done():
            future.set_result(answer)

    loop.call_soon_threadsafe(finish)
