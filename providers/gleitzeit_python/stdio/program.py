"""What is sent to a worker before its job: the relay, and the sources that a job needs to be run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

BOOT = (
    "import os\n"
    "def read(size):\n"
    "    data = b''\n"
    "    while len(data) < size:\n"
    "        data += os.read(0, size - len(data)) or os._exit(0)\n"
    "    return data\n"
    "exec(compile(read(int(read(10))), '<relay>', 'exec'))\n"
)
"""The program of the command line: it runs the text that it is sent."""

PRELOADED = ("asyncio", "csv", "datetime", "decimal", "hashlib", "json", "math", "pathlib", "random", "re", "traceback")
"""What much code imports: it is there already when a job begins."""

_ROOM = Path(__file__).resolve().parents[1]


def text(work: str, scratch: str, packages: Sequence[str] = (), *, ahead: bool = False) -> bytes:
    """All that a worker reads before its job: where it is to work, where packages are, and if it comes ahead of it."""
    options = {"work": work, "scratch": scratch, "packages": list(packages), "preload": PRELOADED if ahead else ()}
    return _programs() + _measured(json.dumps(options))


@cache
def _programs() -> bytes:
    sources = {"gleitzeit_python": "", "gleitzeit_python.worker": ""}
    sources |= {f"gleitzeit_python.worker.{file.stem}": _read(file) for file in sorted((_ROOM / "worker").glob("*.py"))}
    sources.pop("gleitzeit_python.worker.__init__")
    sources["gleitzeit_sandbox"] = _read(_ROOM.parent / "gleitzeit_sandbox" / "__init__.py")
    return _measured(_read(_ROOM / "stdio" / "relay.py")) + _measured(json.dumps(sources))


def _measured(words: str) -> bytes:
    data = words.encode()
    return b"%010d" % len(data) + data


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
