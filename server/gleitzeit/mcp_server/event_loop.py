"""The event loop that servers run on: uvloop's, which takes less of the CPU, where there is one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import TypeVar, TypeVarTuple

import anyio

_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")


def run(function: Callable[[*_Arguments], Awaitable[_Result]], *arguments: *_Arguments) -> _Result:
    """Run it to its end, and return what it returns."""
    return anyio.run(function, *arguments, backend_options={"use_uvloop": _has_uvloop()})


def _has_uvloop() -> bool:
    try:
        import_module("uvloop")
    except ImportError:  # Windows has none, nor has every interpreter
        return False
    return True
