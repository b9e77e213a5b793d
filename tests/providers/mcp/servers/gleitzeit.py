"""Other Gleitzeits, as servers of one: started by the hub, or listening on a port of loopback."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream

SERVE = "from gleitzeit.cli import serve_stdio; serve_stdio()"

Settings = Mapping[str, Any]


def home(folder: Path, servers: Sequence[Settings] = (), **sections: Any) -> Path:
    """A home with that configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {"mcp": {"servers": list(servers)}, **sections}
    (folder / "config.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    return folder


def started(name: str, folder: Path, mark: str = "", **others: Any) -> dict[str, Any]:
    """The settings of one that is started with that home; the mark stands in its command line, to be counted by."""
    environment = {"GLEITZEIT_HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return {"name": name, "command": [sys.executable, "-c", f"{SERVE}  # {mark}"], "env": environment, **others}


@asynccontextmanager
async def serving(folder: Path, port: int = 0) -> AsyncGenerator[dict[str, str]]:
    """The addresses of one that serves over HTTP, `http` and `sse`, until the end of the block."""
    environment = {**os.environ, "GLEITZEIT_HOME": str(folder)}
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", str(port), "--json"]
    async with await anyio.open_process(command, env=environment, stderr=None) as process:
        assert process.stdout is not None
        try:
            announced = await _announced(process.stdout)
            yield {"http": announced["streamable_http"], "sse": announced["sse"]}
        finally:
            process.terminate()
            await process.wait()


async def _announced(stream: ByteReceiveStream) -> dict[str, str]:
    said = b""
    while True:
        said += await stream.receive()
        with suppress(ValueError):
            addresses: dict[str, str] = json.loads(said)
            return addresses


def marked(mark: str) -> list[int]:
    """The processes that were started with that mark."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if mark.encode() in command:
                found.append(int(entry.name))
    return found


async def all_gone(mark: str) -> None:
    """Return once none of them is left: one that was ended takes those along that it has started, in turn."""
    while pids := marked(mark):
        with suppress(ProcessLookupError):
            watched = os.pidfd_open(pids[0])
            try:
                await anyio.wait_readable(watched)  # readable as soon as the process has ended
            finally:
                os.close(watched)
