"""The reference server of MCP, from npm, by each of its transports."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, Any

PATHS = {"sse": "/sse", "streamableHttp": "/mcp"}
TYPES = {"stdio": "stdio", "sse": "sse", "streamableHttp": "http"}
WAYS = list(TYPES)


class Listening:
    """Those that listen on a port of loopback: one for each way, started when it is first asked for."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._ports: dict[str, int] = {}

    def offered(self, settings: dict[str, Any], way: str) -> dict[str, Any]:
        """The settings by which it is reached, made from those by which it is started over stdio."""
        if way == "stdio":
            return settings
        if way not in self._ports:
            self._ports[way] = self._start([settings["command"], *settings["args"], way])
        others = {key: value for key, value in settings.items() if key not in ("command", "args")}
        return others | {"connection_type": TYPES[way], "url": f"http://127.0.0.1:{self._ports[way]}{PATHS[way]}"}

    def _start(self, command: Sequence[str]) -> int:
        port = free_port()
        process = self._stack.enter_context(
            subprocess.Popen(
                command,
                env={**os.environ, "PORT": str(port)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        )
        assert process.stderr is not None
        assert any(b"port" in line for line in process.stderr), "it does not listen"
        # Whoever reads along takes away what it says later.
        reader = threading.Thread(target=_read_on, args=[process.stderr])
        reader.start()
        self._stack.callback(reader.join)
        self._stack.callback(process.kill)
        return port

    def close(self) -> None:
        """End them."""
        self._stack.close()


def _read_on(stream: IO[bytes]) -> None:
    while stream.read(1 << 16):
        pass


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
