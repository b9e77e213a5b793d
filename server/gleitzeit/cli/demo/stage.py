"""The demo itself: Gleitzeit as a subprocess over stdio, and a client that submits, watches and inspects a run."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from mcp import Client, StdioServerParameters

from gleitzeit.core.errors import GleitzeitError

Show = Callable[[str, Any], None]

_FOLDER = Path(__file__).parent
_SERVER = "gleitzeit.cli.demo.library"
_PROVIDER = "gleitzeit.cli.demo.text_provider"


async def play(topic: str, show: Show) -> dict[str, Any]:
    """Show every part as it happens, and return them all. Leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-demo-") as home:
        _write_configuration(Path(home))
        # -P keeps whatever lies in the current folder from standing in for the installed package.
        server = StdioServerParameters(
            command=sys.executable, args=["-P", "-m", "gleitzeit", "mcp"], env={"GLEITZEIT_HOME": home}
        )
        async with Client(server) as client:
            scene = {"server": await _server(client)}
            show("server", scene["server"])
            scene["plan"] = await _plan(client, topic)
            show("plan", scene["plan"])
            scene["run"] = await _run(client, topic, show)
            show("run", scene["run"])
            return scene


def _write_configuration(home: Path) -> None:
    library = {"name": "library", "connection_type": "stdio", "command": [sys.executable, "-P", "-m", _SERVER]}
    configuration = {"mcp": {"servers": [library]}, "providers": {"modules": [_PROVIDER]}}
    (home / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")


async def _server(client: Client) -> dict[str, Any]:
    tools = await client.list_tools()
    implementation = client.server_info
    return {
        "name": implementation.name if implementation else "",
        "version": implementation.version if implementation else "",
        "protocol_version": client.protocol_version,
        "tools": [tool.name for tool in tools.tools],
    }


async def _plan(client: Client, topic: str) -> dict[str, Any]:
    answer = await _call(client, "validate_workflow", {"workflow": _document(), "inputs": {"topic": topic}})
    return {"name": yaml.safe_load(_document())["name"], "waves": answer["plan"]}


async def _run(client: Client, topic: str, show: Show) -> dict[str, Any]:
    begun = time.monotonic()
    request = {"workflow": _document(), "inputs": {"topic": topic}, "wait_seconds": 30}
    answer = await _call(client, "submit_workflow", request, show)
    seconds = time.monotonic() - begun
    details = await _call(client, "inspect_run", {"run_id": answer["run_id"], "detail": "tasks"})
    return {**answer, "seconds": round(seconds, 3), "tasks": details["tasks"]}


async def _call(client: Client, tool: str, arguments: dict[str, Any], show: Show | None = None) -> dict[str, Any]:
    async def report(progress: float, total: float | None, message: str | None) -> None:
        if show is not None:
            show("progress", message or (f"{progress:g} of {total:g}" if total else f"{progress:g}"))

    result = await client.call_tool(tool, arguments, progress_callback=report if show else None)
    if result.is_error:
        words = "\n".join(getattr(part, "text", "") for part in result.content)
        raise GleitzeitError(f"{tool}: {words}", hint="the lines above are what the server said")
    return dict(result.structured_content or {})


def _document() -> str:
    return (_FOLDER / "workflow.yaml").read_text(encoding="utf-8")
