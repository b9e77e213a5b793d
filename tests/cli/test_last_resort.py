"""A server ends in time, also where a provider does not let go."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.ways import some

STUBBORN = """
import asyncio
import sys

from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry


class Stubborn(ProtocolProvider):
    async def handle_request(self, method, parameters):
        await self.hang("called")

    async def serve(self, *, task_status):
        task_status.started()
        await self.hang("at work")

    async def hang(self, word):
        print(word, file=sys.stderr, flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue


registry = ProtocolProviderRegistry.get_instance()
registry.register_provider("stubborn/v1", Stubborn("stubborn", "stubborn/v1"))
"""

LIST = (
    '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    '"clientInfo":{"name":"raw","version":"1"}}}\n'
    '{"jsonrpc":"2.0","method":"notifications/initialized"}\n{"jsonrpc":"2.0","id":2,"method":"tools/list"}\n'
)


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
@pytest.mark.parametrize("end", some(["host hangs up"], ["host hangs up", "mcp is told", "serve is told"]))
def test_what_swallows_its_cancellation_is_cut_off(end: str, environment: dict[str, str], play: Path) -> None:
    (play / "stubborn_provider.py").write_text(STUBBORN)
    (play / "config.yaml").write_text("providers: {path: [.], modules: [stubborn_provider]}\n")
    arguments = ["serve", "--port", "0"] if end == "serve is told" else ["mcp"]
    with subprocess.Popen(
        [sys.executable, "-m", "gleitzeit", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        if arguments == ["mcp"]:
            process.stdin.write(LIST)
            process.stdin.flush()
        awaited = {"at work"} if arguments == ["mcp"] else {"at work", "serving"}
        for line in process.stderr:
            awaited -= {word for word in awaited if word in line}
            if not awaited:
                break
        begun = time.monotonic()
        if end == "host hangs up":
            process.stdin.close()
        else:
            process.send_signal(signal.SIGTERM)
        try:
            said = process.stderr.read()
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
    assert time.monotonic() - begun < 5
    assert "cut off" in said
    assert "provider stubborn" in said


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent in another way there")
@pytest.mark.parametrize("times", some([1], [1, 2]))
def test_an_interrupted_run_ends_although_its_provider_does_not(
    times: int, environment: dict[str, str], play: Path
) -> None:
    (play / "stubborn_provider.py").write_text(STUBBORN)
    (play / "config.yaml").write_text("providers: {path: [.], modules: [stubborn_provider]}\n")
    workflow = play / "hang.yaml"
    workflow.write_text("tasks: [{id: a, method: stubborn/hang}]\n")
    with subprocess.Popen(
        [sys.executable, "-m", "gleitzeit", "run", str(workflow)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        try:
            next(line for line in process.stderr if "called" in line)
            process.send_signal(signal.SIGINT)
            said = next(line for line in process.stderr if "cancelling the run" in line)
            if times == 2:
                process.send_signal(signal.SIGINT)
            said += process.stderr.read()
            assert process.wait(timeout=20) == 130
        finally:
            process.kill()
    assert times == 2 or "a: cancelled" in said, "who leaves at once does not wait for it"
    assert "Traceback" not in said
