"""The program that holds the WebAssembly runtime: in a process of its own, since code in it can abort that process.

`python -I child.py` reads jobs, one a line, and answers to what a job asked meanwhile; it writes the pieces that
`stdio/channels.py` describes. The first line has the sources that jobs need. It imports nothing of Gleitzeit.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import re
import secrets
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, Final

eryx: Any = importlib.import_module("eryx")  # it is there only with the extra `wasm`

_COMPILING: Final = """
import binascii, marshal
compiled = {name: compile(text, f"<{name}>", "exec") for name, text in SOURCES.items()}
result = {name: binascii.b2a_base64(marshal.dumps(code), newline=False).decode() for name, code in compiled.items()}
"""
"""What costs most of a short job, done once, by the same interpreter, before there is a job."""

_RUNNING: Final = """
import binascii, marshal
guest = {"__name__": "guest"}
exec(marshal.loads(binascii.a2b_base64(MODULES["guest"])), guest)
await guest["main"](JOB, MARK, MODULES, host)
"""

_OUTPUT, _ERRORS, _FRAMES, _END = 1, 2, 3, 4
_PIECE: Final = 64 << 10
_LONGEST_REASON: Final = 2000
_OF_THE_RUNTIME: Final = re.compile(r"\s+\d+: |note: |WASM execution error|  File \"<(string|user|_eryx)")
_NEVER: Final = 86_400_000 * 30
_MOST_OUTPUT: Final = 64 << 20
"""Bytes: the runtime keeps all of it in memory until the job is over."""


class Host:
    """The other end of our standard streams."""

    def __init__(self) -> None:
        self.jobs: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._input = os.fdopen(0, "rb")
        self._output = os.dup(1)
        os.dup2(2, 1)
        self._writing = threading.Lock()
        self._answers: dict[Any, queue.SimpleQueue[bytes]] = {}

    def listen(self) -> None:
        """Hand out what comes; once nobody is there any more, end."""
        while line := self._input.readline():
            fields = json.loads(line)
            if "code" in fields:
                self.jobs.put(line)
            elif (waiting := self._answers.pop(fields["id"], None)) is not None:
                waiting.put(line)
        os._exit(0)

    def first(self) -> bytes:
        """The line before all others."""
        return self._input.readline()

    def tell(self, kind: int, data: bytes) -> None:
        """Write a piece, or as many as it takes."""
        with self._writing:
            for start in range(0, len(data), _PIECE):
                piece = data[start : start + _PIECE]
                rest = memoryview(struct.pack(">BI", kind, len(piece)) + piece)
                while rest:
                    rest = rest[os.write(self._output, rest) :]

    def ask(self, frame: str) -> str:
        """Send a frame, and wait for its answer if it has an id to be answered by."""
        fields = json.loads(frame)
        waiting: queue.SimpleQueue[bytes] | None = None
        if "id" in fields:
            waiting = self._answers[fields["id"]] = queue.SimpleQueue()
        self.tell(_FRAMES, frame.encode("utf-8", "replace") + b"\n")
        return "null" if waiting is None else waiting.get().decode()


class Run:
    """One job, with what it says on the way."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._mark = f"\x00{secrets.token_hex(16)}"
        self._ids = iter(range(1, 1 << 53))
        self._written = 0

    def carry_out(self, text: str, modules: dict[str, str]) -> None:
        """Run it, and tell of an end that it could not tell of itself."""
        job = json.loads(text)
        given = f"JOB = {text!a}\nMARK = {self._mark!a}\nMODULES = {modules!a}\n"
        try:
            self._sandbox(job).execute(given + _RUNNING)
        except eryx.EryxError as error:
            self._host.tell(_ERRORS, _brief(error).encode("utf-8", "replace"))
            self._host.tell(_END, json.dumps({"exit": None, "memory": "memory" in str(error).lower()}).encode())
            os._exit(0)  # what is left of the runtime is not worth knowing
        self._host.tell(_END, b'{"exit": 0, "memory": false}')

    def _sandbox(self, job: Any) -> Any:
        limits = eryx.ResourceLimits(
            execution_timeout_ms=_NEVER,  # the host has the clock, and kills
            callback_timeout_ms=_NEVER,
            max_callback_invocations=None,
            max_memory_bytes=job["limits"]["memory"],
            max_vfs_bytes=job["limits"]["file"],
        )
        return eryx.Sandbox(
            resource_limits=limits,
            callbacks=[{"name": "host", "fn": self._asked, "description": "sends a frame"}],
            volumes=[(source, target, True) for target, source in job["volumes"].items()] or None,
            on_stdout=self._said,
            on_stderr=self._count(lambda data: self._host.tell(_ERRORS, data)),
        )

    def _asked(self, frame: str) -> str:
        try:
            fields = json.loads(frame)
            if "call" in fields or "ask" in fields:
                return self._host.ask(json.dumps({**fields, "id": next(self._ids)}))
            return self._host.ask(frame)
        except Exception:  # noqa: BLE001 a traceback of ours is not for the code to read
            return json.dumps({"error": {"code": "error", "message": "this could not be sent"}})

    def _said(self, data: bytes) -> None:
        mark = self._mark.encode()
        if data.startswith(mark):
            self._host.tell(_FRAMES, data.removeprefix(mark).replace(b"\n", b" ") + b"\n")
        else:
            self._count(lambda output: self._host.tell(_OUTPUT, output))(data)

    def _count(self, tell: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def counted(data: bytes) -> None:
            self._written += len(data)
            if self._written > _MOST_OUTPUT:
                self._host.tell(_ERRORS, b"\nkilled: the tier wasm takes 64 MiB of output\n")
                os._exit(1)
            tell(data)

        return counted


def _brief(error: BaseException) -> str:
    """What the runtime says of its end, without the list of its own functions."""
    lines = [line for line in str(error).splitlines() if line.strip() and not _OF_THE_RUNTIME.match(line)]
    return "\n".join(["the WebAssembly runtime ended this:", *lines])[:_LONGEST_REASON] + "\n"


def main() -> None:
    """Carry out one job after the other."""
    host = Host()
    sources = json.loads(host.first())
    modules = eryx.Sandbox().execute(f"SOURCES = {sources!a}\n{_COMPILING}").result
    threading.Thread(target=host.listen, daemon=True).start()
    host.tell(_END, b'{"ready": true}')
    while True:
        Run(host).carry_out(host.jobs.get().decode(), modules)


if __name__ == "__main__":
    sys.setswitchinterval(0.001)
    main()
