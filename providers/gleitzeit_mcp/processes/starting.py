"""The two ends of a process that asyncio leaves to us: a start that cannot be lost, and pipes that are let go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from subprocess import PIPE
from typing import Any

import anyio
from anyio.abc import Process


async def started(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    folder: str | None = None,
    stdin: int = PIPE,
    stdout: int = PIPE,
    stderr: int = PIPE,
) -> Process:
    """A process that leads a session of its own. Raises `OSError` where the system cannot start it."""
    process: Process | None = None
    with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
        process = await anyio.open_process(
            argv, stdin=stdin, stdout=stdout, stderr=stderr, cwd=folder, env=environment, start_new_session=True
        )
    assert process is not None
    return process


def let_go(process: Process) -> None:
    """Close the pipes that a descendant of its own may hold open; asyncio has no public way to do so."""
    transport: Any = getattr(getattr(process, "_process", None), "_transport", None)
    close = getattr(transport, "close", None)
    if callable(close):
        with suppress(PermissionError, ProcessLookupError):
            close()
