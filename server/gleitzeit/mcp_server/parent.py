"""The death of the process that has started this one: a host that is killed may leave others who hold its pipes."""

from __future__ import annotations

import os
import select
import sys
from collections.abc import Generator
from contextlib import contextmanager

import anyio

_INIT = 1


async def parent_gone() -> None:
    """Return once the process that has started this one has ended; never, where the system can't tell."""
    parent = os.getppid()
    if parent == _INIT:  # the one that adopts is not the one that has started it
        await anyio.sleep_forever()
    with _watched(parent) as ended:
        if os.getppid() != parent:
            return
        if ended is None:
            await anyio.sleep_forever()
        else:
            await anyio.wait_readable(ended)


@contextmanager
def _watched(process: int) -> Generator[int | None]:
    """A descriptor that is readable once a process has ended, where the system has such."""
    if sys.platform == "linux":
        try:
            descriptor = os.pidfd_open(process)
        except OSError:  # a kernel, or a sandbox, without it: the end of the pipe has to do
            yield None
            return
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    elif sys.platform == "darwin":
        with select.kqueue() as queue:
            end = select.kevent(process, select.KQ_FILTER_PROC, select.KQ_EV_ADD, select.KQ_NOTE_EXIT)
            queue.control([end], 0)
            yield queue.fileno()
    else:
        yield None
