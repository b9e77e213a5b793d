"""The host's side of a hub: JSON-RPC over its standard streams, without any SDK, so that all cost the same here."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from benchmarks import process_table
from benchmarks.hubs import Hub
from benchmarks.rounds import ROOT, ContenderError

SILENCE = 60.0
TEXT = "x" * 100
CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


@dataclass(frozen=True, slots=True)
class Cost:
    """What some calls took: seconds of CPU of the hub's process alone, and seconds by the clock."""

    calls: int
    cpu: float
    wall: float


class Host:
    """Starts a hub and calls tools through it; a context manager."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.version = ""
        self._last = 0
        self._read = b""

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            self.hub.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            cwd=ROOT,
            env=self.hub.environment,
        )
        try:
            self.version = self._initialize()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    @property
    def process(self) -> int:
        """The hub's process id."""
        return self._process.pid

    def one_by_one(self, server: str, calls: int) -> Cost:
        """So many calls of one server, each after the answer to the one before."""
        return self.at_once([server], calls, 1)

    def at_once(self, servers: Sequence[str], calls: int, width: int) -> Cost:
        """So many calls, the servers by turns, of which `width` are always under way."""
        cpu, begin = process_table.cpu(self.process), time.perf_counter()
        waiting: set[int] = set()
        for number in range(calls):
            if len(waiting) == width:
                waiting.remove(self._answered())
            waiting.add(self._call(servers[number % len(servers)]))
        while waiting:
            waiting.remove(self._answered())
        wall = time.perf_counter() - begin
        return Cost(calls, process_table.cpu(self.process) - cpu, wall)

    def _initialize(self) -> str:
        self._send("initialize", CLIENT)
        information = self._answer()["result"]["serverInfo"]
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return f"{information['name']} {information['version']}"

    def _call(self, server: str) -> int:
        return self._send("tools/call", self.hub.tool_call(server, "echo", {"text": TEXT}))

    def _answered(self) -> int:
        answer = self._answer()
        result = answer.get("result", {})
        if "content" not in result or result.get("isError") or TEXT not in result["content"][0]["text"]:
            raise ContenderError(f"{self.hub.name} answered a call with {answer}")
        number: int = answer["id"]
        return number

    def _send(self, method: str, parameters: object) -> int:
        self._last += 1
        self._write({"jsonrpc": "2.0", "id": self._last, "method": method, "params": parameters})
        return self._last

    def _write(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None

    def _answer(self) -> dict[str, Any]:
        """The next message that is an answer; what else a hub says is passed over."""
        while True:
            message: dict[str, Any] = json.loads(self._line())
            if "method" not in message:
                return message

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            if not select.select([self._process.stdout], [], [], SILENCE)[0]:
                raise ContenderError(f"{self.hub.name} said nothing for {SILENCE:g} seconds")
            taken = os.read(self._process.stdout.fileno(), 2**16)
            if not taken:
                raise self._ended()
            self._read += taken
        line, _, self._read = self._read.partition(b"\n")
        return line

    def _ended(self) -> ContenderError:
        self._errors.seek(0)
        said = self._errors.read().strip().splitlines() or ["without a word"]
        return ContenderError(f"{self.hub.name} ended: {said[-1].strip()}")

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # it may have ended by itself
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()
