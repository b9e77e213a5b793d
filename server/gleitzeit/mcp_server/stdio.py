"""Serving one host over standard input and output, until it hangs up or the process is told to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.lazy_application import ApplicationFactory
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.signals import Ending, no_ending, told_to_stop
from gleitzeit.mcp_server.wire import Wire, claim_standard_streams, open_frames


def run_stdio(factory: ApplicationFactory, ending: Ending = no_ending) -> int:
    """Serve until the host hangs up, and return the process's exit code.

    Claims standard input and output for the rest of the process. `factory` is called in a worker thread, once a
    tool or the list of tools has been asked for. `ending` is called in the event loop as soon as the end begins, which
    a task that never gives up could prolong.
    """
    anyio.run(serve_wire, factory, claim_standard_streams(), ending)
    return 0


async def serve_wire(factory: ApplicationFactory, wire: Wire, ending: Ending = no_ending) -> None:
    """Serve the host behind `wire` until its end, SIGTERM or SIGINT; everything is closed within two seconds."""
    async with (
        open_face(factory) as face,
        open_frames(wire) as frames,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(_cancel_after, told_to_stop, ending, tasks.cancel_scope)
        tasks.start_soon(_cancel_after, frames.gone.wait, ending, tasks.cancel_scope)
        tasks.start_soon(_call_after, frames.read.ended.wait, ending)
        await serve_both_eras(build_server(face), frames.read, frames.write, lifespan_state=face)
        tasks.cancel_scope.cancel()


async def _cancel_after(end: Callable[[], Awaitable[object]], ending: Ending, scope: anyio.CancelScope) -> None:
    await _call_after(end, ending)
    scope.cancel()


async def _call_after(end: Callable[[], Awaitable[object]], ending: Ending) -> None:
    await end()
    ending()
