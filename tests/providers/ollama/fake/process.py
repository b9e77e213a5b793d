"""Fake nodes in processes of their own."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[4]


@dataclass(frozen=True, slots=True)
class NodeProcess:
    """One that runs; `process` may be killed, as a machine that loses its power."""

    url: str
    process: subprocess.Popen[str]

    def counters(self) -> dict[str, Any]:
        """What it has seen."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.url}/counters", timeout=10) as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts


@contextmanager
def fake_node(*arguments: str) -> Generator[NodeProcess]:
    """A node with the options of `__main__`, which ends with the context or with this process."""
    command = [sys.executable, "-m", "tests.providers.ollama.fake", *arguments]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8", cwd=ROOT
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, f"{' '.join(command)} has said nothing"
            yield NodeProcess(url, process)
        finally:
            process.kill()


@contextmanager
def fake_nodes(count: int, *arguments: str) -> Generator[list[NodeProcess]]:
    """Several of the same."""
    with ExitStack() as stack:
        yield [stack.enter_context(fake_node(*arguments)) for _ in range(count)]
