"""A provider for tests, as a user would write one: it answers, waits, fails, prints and crashes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio

from gleitzeit.core.errors import ProviderError
from gleitzeit.core.protocol import Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

PROTOCOL = Protocol(
    id="probe/v1",
    methods={
        "echo": {
            "description": "Give back a text. Twice if asked.",
            "parameters": {"text": {"type": "string", "required": True}, "times": {"type": "integer"}},
            "read_only": True,
            "capabilities": ["batch"],
        },
        "write": {"description": "Store a text", "parameters": {"text": {"type": "string"}}},
        "items": {"description": "Count up to n", "parameters": {"n": {"type": "integer"}}, "read_only": True},
        "steps": {"description": "Report progress", "parameters": {"count": {"type": "integer"}}, "read_only": True},
        "sleep": {"description": "Wait until the end", "parameters": {"mark": {"type": "string"}}, "read_only": True},
        "hang": {"description": "Wait until the end, and nobody knows whether something was done"},
        "fail": {"description": "Fail", "parameters": {"message": {"type": "string"}}},
        "crash": {"description": "Raise what nobody foresaw"},
        "print": {"description": "Write to standard output in every way there is"},
        "big": {"description": "Return many bytes", "parameters": {"size": {"type": "integer"}}, "read_only": True},
        "odd": {"description": "Return what JSON can't say"},
        "ask": {
            "description": "Ask a person and return the answer",
            "parameters": {"message": {"type": "string"}, "schema": {"type": "object"}},
            "read_only": True,
        },
    },
)


class ProbeProvider(ProtocolProvider):
    """Serves probe/*."""

    def __init__(self) -> None:
        super().__init__("probe", "probe/v1")

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Carry out one of the methods above."""
        name = method.removeprefix("probe/")
        if name == "echo":
            return {"text": parameters["text"] * parameters.get("times", 1)}
        if name == "items":
            return {"items": list(range(parameters["n"]))}
        if name == "fail":
            raise ProviderError(parameters.get("message", "no"), hint="try something else", retryable=False)
        if name == "crash":
            raise ZeroDivisionError("a defect in the provider")
        if name == "big":
            return {"text": "x" * parameters["size"]}
        if name == "odd":
            return {"text": "half \ud800", "when": "now"}
        if name in ("sleep", "hang"):
            return await _sleep(parameters.get("mark"))
        if name == "ask":
            return await current_task().ask(parameters["message"], parameters.get("schema"))
        if name == "steps":
            return await _steps(parameters["count"])
        return _write_everywhere() if name == "print" else {"written": True}


async def _sleep(mark: str | None) -> dict[str, Any]:
    try:
        await anyio.sleep_forever()
    finally:
        if mark is not None:
            Path(mark).write_text("stopped", encoding="utf-8")  # noqa: ASYNC240 - a few bytes
    return {}


async def _steps(count: int) -> dict[str, Any]:
    for number in range(1, count + 1):
        await current_task().report_progress(number, count, f"step {number}")
    return {"steps": count}


def _write_everywhere() -> dict[str, Any]:
    print("printed by a provider")  # noqa: T201 - this is what it is for
    os.write(1, b"written to the descriptor\n")
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    read = subprocess.run([sys.executable, "-c", "import sys; sys.exit(len(sys.stdin.read()))"], check=False)
    sys.__stdout__.write("left in a buffer")  # type: ignore[union-attr] # it is flushed as the process ends
    return {"child_read": read.returncode}


def register(registry: ProtocolProviderRegistry) -> None:
    """Enter the provider."""
    registry.register_protocol(PROTOCOL)
    registry.register_provider("probe/v1", ProbeProvider())


register(ProtocolProviderRegistry.get_instance())
