"""Whatever ends a server, and whatever it is at: it is gone in two seconds, with all its children and no run lost."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

import pytest
from tests.ways import some

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are followed by their descriptors")

SECONDS = 2.0
SLACK = 2.0
"""What a machine may be busy with beside."""

# Answers until a tool is called; from then on it does nothing, and lets nothing stop it but a kill.
STUCK = """
import json, signal, sys

TOOL = {"name": "hang", "inputSchema": {"type": "object"}}
for line in sys.stdin:
    message = json.loads(line)
    method = message.get("method")
    if method == "initialize":
        result = {"protocolVersion": message["params"]["protocolVersion"], "capabilities": {"tools": {}},
                  "serverInfo": {"name": "stuck", "version": "1"}}
    elif method == "tools/list":
        result = {"tools": [TOOL]}
    elif method == "tools/call":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        open(sys.argv[1], "w").write("stuck")
        while True:
            signal.pause()
    elif "id" in message:
        error = {"code": -32601, "message": "no"}
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}), flush=True)
        continue
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""

WORKFLOW = """
tasks:
- {id: spin, method: python/execute, parameters: {code: "progress(1, message='spinning')\\nwhile True: pass"}}
- {id: far, method: mcp/tool.stuck.hang}
- {id: near, method: probe/hang}
"""

# A host whose server is busy by the time that it says so; then it does what it is told to.
HOST = """
import json, subprocess, sys

messages, fifo = json.loads(sys.argv[1]), sys.argv[2]
server = subprocess.Popen(
    [sys.executable, "-c", "import sys; from gleitzeit.cli import serve_stdio; sys.exit(serve_stdio())"],
    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
)
held = [server.stdin.fileno(), server.stdout.fileno()]
holder = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, pass_fds=held)
for message in messages:
    server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\\n")
server.stdin.flush()
for line in server.stdout:
    if b"spinning" in line:
        break
open(fifo).read()
print(json.dumps({"server": server.pid, "holder": holder.pid}), flush=True)
if sys.stdin.readline() == "hang up\\n":
    holder.kill()
    server.stdin.close()
sys.stdin.readline()
"""

HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "host", "version": "1"}}
MESSAGES: list[dict[str, Any]] = [
    {"id": 0, "method": "initialize", "params": HELLO},
    {"method": "notifications/initialized"},
    {
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": "submit_workflow",
            "arguments": {"workflow": WORKFLOW, "wait_seconds": 45},
            "_meta": {"progressToken": 1},
        },
    },
    {"id": 2, "method": "tools/call", "params": {"name": "call_method", "arguments": {"method": "probe/hang"}}},
]


class Busy:
    """A host and its server, which is in the middle of everything."""

    def __init__(self, host: subprocess.Popen[str], stack: ExitStack) -> None:
        assert host.stdin is not None
        assert host.stdout is not None
        self._host = host
        self._tell = host.stdin
        pids: dict[str, int] = json.loads(host.stdout.readline())
        self.server = pids["server"]
        stack.callback(ended, pids["holder"])
        self.processes: dict[int, str] = {}
        for pid in (self.server, *descendants(self.server)):
            descriptor = os.pidfd_open(pid)
            stack.callback(os.close, descriptor)
            self.processes[descriptor] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()

    def end(self, by: Literal["hang up", "signal", "killed host"]) -> None:
        if by == "signal":
            os.kill(self.server, signal.SIGTERM)
        elif by == "killed host":
            self._host.kill()
        else:
            self._tell.write("hang up\n")
            self._tell.flush()

    def left_after(self, seconds: float) -> list[str]:
        """What is still there of the server and all that it had started."""
        poll, due = select.poll(), time.monotonic() + seconds
        for descriptor in self.processes:
            poll.register(descriptor, select.POLLIN)
        while self.processes and (gone := poll.poll(max(0, (due - time.monotonic()) * 1000))):
            for descriptor, _ in gone:
                poll.unregister(descriptor)
                del self.processes[descriptor]
        return list(self.processes.values())


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text(encoding="ascii").split():
            found |= {int(child), *descendants(int(child))}
    return found


def ended(pid: int) -> None:
    """End a process that nobody here has started; it may be gone already."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@pytest.fixture
def busy(home: Path, environment: dict[str, str], tmp_path: Path) -> Iterator[Busy]:
    fifo = tmp_path / "stuck"
    os.mkfifo(fifo)
    (home / "stuck.py").write_text(STUCK)
    server = {"name": "stuck", "command": sys.executable, "args": [str(home / "stuck.py"), str(fifo)]}
    with (home / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"mcp: {{servers: [{json.dumps(server)}]}}\nserver: {{audit: audit.jsonl}}\n")
    command = [sys.executable, "-c", HOST, json.dumps(MESSAGES), str(fifo)]
    with (
        ExitStack() as stack,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=tmp_path
        ) as host,
    ):
        stack.callback(host.kill)
        made = Busy(host, stack)
        stack.callback(ended, made.server)
        yield made
        host.kill()


@pytest.mark.parametrize("by", some(["killed host"], ["hang up", "signal", "killed host"]))
def test_nothing_is_left_and_nothing_is_lost(
    by: Literal["hang up", "signal", "killed host"], busy: Busy, home: Path, environment: dict[str, str]
) -> None:
    assert len(busy.processes) >= 4  # itself, the stuck server, its warden, and what the code runs in
    busy.end(by)
    assert busy.left_after(SECONDS + SLACK) == []
    told = [json.loads(line) for line in (home / "audit.jsonl").read_text().splitlines()]
    begun = {line["id"] for line in told if line["event"] == "decided"}
    assert {line["id"] for line in told if line["event"] == "ended"} == begun, "no line is lost"
    assert {line.get("outcome") for line in told if line["event"] in ("ended", "answered")} == {"cancelled"}
    run_id = next(line["run_id"] for line in told if line.get("task_id") == "spin")
    shown = subprocess.run(
        [sys.executable, "-m", "gleitzeit", "runs", "show", run_id, "--json"],
        env=environment,
        capture_output=True,
        check=True,
        timeout=30,
    )
    run = json.loads(shown.stdout)
    assert run["status"] == "running"
    assert {task["status"] for task in run["tasks"].values()} == {"running"}
