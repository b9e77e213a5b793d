"""What every test shares."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.fork_server import ForkServer, Launch, launch_anew
from tests.ways import FULL

TOLD_TO_TESTS = ("GLEITZEIT_TEST_", "GLEITZEIT_WAYS")
FENCE = re.compile(r"^ *```(?P<language>\w*)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a Markdown document; `index` counts from 1, `line` is that of its first line."""

    index: int
    language: str
    line: int
    text: str


def fenced_blocks(markdown: str) -> list[Block]:
    """All fenced blocks of a document, without the indentation of the list that they stand in."""
    blocks: list[Block] = []
    language, start, lines = "", 0, list[str]()
    for number, line in enumerate(markdown.splitlines(), start=1):
        fence = FENCE.match(line)
        if fence is None:
            lines.append(line)
        elif start == 0:
            language, start, lines = fence["language"], number + 1, []
        else:
            blocks.append(Block(len(blocks) + 1, language, start, textwrap.dedent("\n".join(lines)) + "\n"))
            start = 0
    assert start == 0, f"the block at line {start} has no end"
    return blocks


@pytest.fixture(scope="session", autouse=True)
def nobody_else_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A home folder for tests that name none: no test may write into that of whoever runs them.

    What only the tests are told is taken out of the environment, for Gleitzeit would read it as a setting.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GLEITZEIT_HOME", str(tmp_path_factory.mktemp("home")))
        for name in [name for name in os.environ if name.startswith(TOLD_TO_TESTS)]:
            patch.delenv(name)
        yield


@pytest.fixture(scope="session")
def launch() -> Iterator[Launch]:
    """Calls the command `gleitzeit`: without its imports, unless the environment asks for the whole way."""
    if FULL or sys.platform != "linux":  # only Linux forks safely everywhere
        yield launch_anew
        return
    server = ForkServer()
    yield server.launch
    server.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def document_blocks() -> dict[int, str]:
    """The fenced blocks of the documentation of providers, unchanged, by their number."""
    document = Path(__file__).parent / "spec" / "providers.md"
    return {block.index: block.text for block in fenced_blocks(document.read_text(encoding="utf-8"))}
