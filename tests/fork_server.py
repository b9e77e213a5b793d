"""The command `gleitzeit` as a process that has its imports behind it: forked from one that did nothing but import.

It has arguments, a folder, an environment, streams and an exit code of its own, as any process has. What it does not
show is how Python comes to call `main`: that is shown by tests that start it anew, and by `make ways`.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from gleitzeit.cli.app import COMMANDS

NUMBER = struct.Struct("i")
ROOT = Path(__file__).parents[1]
IMPORTED_LATE = (
    "anyio._backends._asyncio",
    "gleitzeit_mcp.forwarding.desk",
    "gleitzeit_mcp.hub",
    "gleitzeit_ollama.provider",
    "gleitzeit_python.making",
    "gleitzeit_python.workshop",
)


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes


class Launch(Protocol):
    """Calls the command and waits for its end, at most for 50 seconds."""

    def __call__(self, arguments: Sequence[str], *, stdin: bytes = b"", cwd: Path, env: Mapping[str, str]) -> Ended: ...


def launch_anew(arguments: Sequence[str], *, stdin: bytes = b"", cwd: Path, env: Mapping[str, str]) -> Ended:
    """Have a new Python carry out the command."""
    command = [sys.executable, "-m", "gleitzeit", *arguments]
    ended = subprocess.run(command, input=stdin, capture_output=True, cwd=cwd, env=env, timeout=50, check=False)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


class ForkServer:
    """Launches commands, one at a time."""

    def __init__(self) -> None:
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(50)
        command = [sys.executable, "-m", "tests.fork_server", str(theirs.fileno())]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        with theirs:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[theirs.fileno()])

    def launch(self, arguments: Sequence[str], *, stdin: bytes = b"", cwd: Path, env: Mapping[str, str]) -> Ended:
        """Have a forked process carry out the command."""
        called = json.dumps({"arguments": list(arguments), "cwd": str(cwd), "env": dict(env)}).encode()
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(4)]
            given, output, errors, call = files
            given.write(stdin)
            call.write(called)
            for file in files:
                file.seek(0)
            socket.send_fds(self._ours, [b"\n"], [file.fileno() for file in files])
            code = self._exit_code()
            output.seek(0)
            errors.seek(0)
            return Ended(code, output.read(), errors.read())

    def _exit_code(self) -> int:
        pid = self._number()
        try:
            return self._number()
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._number()
            raise

    def _number(self) -> int:
        number: int = NUMBER.unpack(self._ours.recv(NUMBER.size))[0]
        return number

    def close(self) -> None:
        """End the process that launches."""
        self._ours.close()
        assert self._process.wait(10) == 0


def _serve(channel: socket.socket) -> None:
    """Fork for each call until nobody can call any more; each forked process returns, to become the command."""
    while True:
        _, files, _, _ = socket.recv_fds(channel, 1, 4)
        if not files:
            sys.exit()
        pid = os.fork()
        if pid == 0:
            channel.close()
            _become(*files)
            return
        for file in files:
            os.close(file)
        channel.send(NUMBER.pack(pid))
        _, status = os.waitpid(pid, 0)
        channel.send(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become(stdin: int, stdout: int, stderr: int, call: int) -> None:
    with open(call, "rb") as file:
        called: dict[str, Any] = json.load(file)
    for number, stream in enumerate((stdin, stdout, stderr)):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(called["cwd"])
    os.environ.clear()
    os.environ.update(called["env"])
    sys.argv[1:] = called["arguments"]
    sys.path[0] = called["cwd"]


if __name__ == "__main__":
    for module in (*(home.partition(":")[0] for home in COMMANDS.values()), *IMPORTED_LATE):
        import_module(module)
    gc.freeze()  # else each forked process would get a copy of all pages that the collector writes its marks into
    _serve(socket.socket(fileno=int(sys.argv[1])))
    runpy.run_module("gleitzeit", run_name="__main__", alter_sys=True)
