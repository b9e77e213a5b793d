"""`gleitzeit servers login` shows where to log in, and is bound by the policy."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
import yaml
from anyio.streams.text import TextReceiveStream
from tests.providers.mcp.test_oauth import guarded

pytestmark = pytest.mark.anyio

Command = Callable[..., Any]


def configure(home: Path, **sections: Any) -> None:
    (home / "config.yaml").write_text(yaml.safe_dump(sections))


async def test_the_page_to_open_is_shown_and_the_command_ends_when_the_person_comes_back(
    environment: dict[str, str], play: Path
) -> None:
    async with guarded() as server:
        configure(play, mcp={"servers": [{"name": "far", "url": f"{server.base}/mcp", "oauth": True}]})
        command = [sys.executable, "-m", "gleitzeit", "servers", "login", "far", "--json"]
        async with await anyio.open_process(command, stdin=subprocess.DEVNULL, env=environment) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            said = ""
            async for text in TextReceiveStream(process.stderr):
                said += text
                shown = re.search(r"Open this address to log in: (\S+)\n", said)
                if shown is not None:
                    async with httpx2.AsyncClient() as browser:
                        await browser.get(server.authorize(shown[1]))
                    break
            printed = "".join([text async for text in TextReceiveStream(process.stdout)])
            assert await process.wait() == 0, said
    assert yaml.safe_load(printed) == {"server": "far", "logged_in": True}
    assert (play / "oauth" / "far.json").is_file()


def test_a_policy_that_denies_it_is_kept(gleitzeit: Command, play: Path) -> None:
    server = {"name": "far", "url": "http://127.0.0.1:9/mcp", "oauth": True}
    configure(play, mcp={"servers": [server]}, policy={"deny": ["mcp/login"]})
    outcome = gleitzeit("servers", "login", "far")
    assert outcome.code == 4
    assert 'policy.deny has "mcp/login"' in outcome.stderr
