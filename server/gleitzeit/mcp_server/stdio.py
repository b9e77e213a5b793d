"""Serving one host over standard input and output, until it hangs up or the process is told to stop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio

from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.event_loop import run
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.lazy_application import ApplicationFactory
from gleitzeit.mcp_server.open_requests import OpenRequests
from gleitzeit.mcp_server.parent import parent_gone
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.signals import Ending, no_ending, told_to_stop
from gleitzeit.mcp_server.subscriptions.changes import Changes
from gleitzeit.mcp_server.wire import Wire, claim_standard_streams, open_frames

_LAST_WORDS = 0.25


def run_stdio(factory: ApplicationFactory, ending: Ending = no_ending, bare: Callable[[], bool] = lambda: False) -> int:
    """Serve until the host hangs up, and return the process's exit code.

    Claims standard input and output for the rest of the process. `factory` is called in a worker thread, once a
    tool or the list of tools has been asked for. `ending` is called in the event loop as soon as the end begins, which
    a task that never gives up could prolong. `bare` is that of `Face`.
    """
    run(serve_wire, factory, claim_standard_streams(), ending, bare)
    return 0


async def serve_wire(
    factory: ApplicationFactory, wire: Wire, ending: Ending = no_ending, bare: Callable[[], bool] = lambda: False
) -> None:
    """Serve the host behind `wire` until its end, SIGTERM, SIGINT, or the end of the process that started this one.

    Everything is closed within two seconds.
    """
    async with (
        open_face(factory, bare) as face,
        open_frames(wire) as frames,
        anyio.create_task_group() as tasks,
    ):
        requests = OpenRequests()
        tasks.start_soon(_stop_when_told, face.changes, requests, ending, tasks.cancel_scope)
        tasks.start_soon(_cancel_after, frames.gone.wait, ending, tasks.cancel_scope)
        tasks.start_soon(_cancel_after, parent_gone, ending, tasks.cancel_scope)
        tasks.start_soon(_call_after, frames.read.ended.wait, ending)
        tasks.start_soon(_call_after, frames.read.hung_up, ending)  # an answer that nobody reads may hold the reader up
        await serve_both_eras(build_server(face), frames.read, frames.write, lifespan_state=face, requests=requests)
        tasks.cancel_scope.cancel()


async def _stop_when_told(changes: Changes, requests: OpenRequests, ending: Ending, scope: anyio.CancelScope) -> None:
    await told_to_stop()
    ending()
    await changes.end()
    with anyio.move_on_after(_LAST_WORDS):
        await requests.unheard()  # a host that listens is told that it is over
    scope.cancel()


async def _cancel_after(end: Callable[[], Awaitable[object]], ending: Ending, scope: anyio.CancelScope) -> None:
    await _call_after(end, ending)
    scope.cancel()


async def _call_after(end: Callable[[], Awaitable[object]], ending: Ending) -> None:
    await end()
    ending()
