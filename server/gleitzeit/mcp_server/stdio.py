"""Serving one host over standard input and output, until it hangs up or the process is told to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.face import build_server
from gleitzeit.mcp_server.opening import ApplicationFactory, opening
from gleitzeit.mcp_server.signals import told_to_stop
from gleitzeit.mcp_server.wire import Wire, claim_standard_streams, open_frames


def run_stdio(factory: ApplicationFactory) -> int:
    """Serve until the host hangs up, and return the process's exit code.

    Claims standard input and output for the rest of the process. `factory` is called in a worker thread, once a
    tool or the list of tools has been asked for.
    """
    anyio.run(serve_stdio, factory, claim_standard_streams())
    return 0


async def serve_stdio(factory: ApplicationFactory, wire: Wire) -> None:
    """Serve the host behind `wire` until its end, SIGTERM or SIGINT; everything is closed within two seconds."""
    async with opening(factory) as state, open_frames(wire) as frames, anyio.create_task_group() as tasks:
        tasks.start_soon(_cancel_after, told_to_stop, tasks.cancel_scope)
        tasks.start_soon(_cancel_after, frames.gone.wait, tasks.cancel_scope)
        await serve_both_eras(build_server(state), frames.read, frames.write, lifespan_state=state)
        tasks.cancel_scope.cancel()


async def _cancel_after(end: Callable[[], Awaitable[None]], scope: anyio.CancelScope) -> None:
    await end()
    scope.cancel()
