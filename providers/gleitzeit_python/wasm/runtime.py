"""`RuntimeProcess`: a process with the WebAssembly runtime, warm and waiting for a job."""

from __future__ import annotations

import importlib.util
import json
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Final

from gleitzeit_python.sandbox.base import Availability
from gleitzeit_python.stdio.process import ProcessLine
from gleitzeit_python.stdio.ready import begin

PACKAGE: Final = "eryx"

_ROOM: Final = Path(__file__).resolve().parent
_OLDEST: Final = (3, 12)


async def started() -> ProcessLine:
    """A new one. Raises `ProviderUnavailableError` where it does not begin."""
    line = await ProcessLine.start([sys.executable, "-I", str(_ROOM / "child.py")], folder=None, env={})
    await begin(line, _first_line(), "the WebAssembly runtime")
    return line


def availability() -> Availability:
    """Whether the package is here; that it works shows only when it runs."""
    if importlib.util.find_spec(PACKAGE) is not None:
        return Availability("wasm", available=True, facts={"tier": "wasm"})
    if sys.version_info < _OLDEST:
        version = sysconfig.get_python_version()
        return Availability(
            "wasm",
            available=False,
            reason=f"the package pyeryx needs Python 3.12, and this is {version}",
            hint='install Gleitzeit with a newer Python: uv tool install --python 3.13 "gleitzeit-mcp[wasm]"',
        )
    return Availability(
        "wasm",
        available=False,
        reason="the package pyeryx is not installed",
        hint='pip install "gleitzeit-mcp[wasm]"',
    )


@cache
def _first_line() -> bytes:
    """The guest's program, and the modules of the worker that know nothing of processes."""
    worker = _ROOM.parent / "worker"
    sources = {name: _read(worker / f"{name}.py") for name in ("failures", "policy", "artifacts")}
    sources["gleitzeit_sandbox"] = _read(_ROOM.parents[1] / "gleitzeit_sandbox" / "__init__.py")
    sources["guest"] = _read(_ROOM / "guest.py")
    return json.dumps(sources).encode() + b"\n"


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")
