"""The real Ollama servers that tests may use: `GLEITZEIT_TEST_OLLAMA` names them, separated by commas."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Read while tests are collected: afterwards it is gone from the environment, where Gleitzeit's settings stand.
NODES = [url.strip().rstrip("/") for url in os.environ.get("GLEITZEIT_TEST_OLLAMA", "").split(",") if url.strip()]
_TURNS = Path(tempfile.gettempdir()) / "gleitzeit-test-ollama.lock"


@contextmanager
def real_nodes(needed: int) -> Generator[list[str]]:
    """The base URLs of as many as are needed, each with smollm2:135m and gemma3:270m, for one test at a time.

    A request of another one would change what a node has in memory, and with it the last digits of its numbers. Skips
    the test where no node is named; where any is, all have to be there.
    """
    if not NODES:
        pytest.skip("GLEITZEIT_TEST_OLLAMA names no Ollama server")
    assert len(NODES) >= needed, f"GLEITZEIT_TEST_OLLAMA names {len(NODES)} server, and {needed} are needed"
    with _TURNS.open("w") as turns:
        fcntl.flock(turns, fcntl.LOCK_EX)  # among the processes that share the tests
        yield NODES[:needed]
