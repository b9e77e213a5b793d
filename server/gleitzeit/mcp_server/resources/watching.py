"""Noticing that a resource has changed."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import anyio
from mcp.server import ServerRequestContext

from gleitzeit.core.errors import GleitzeitError, NotFoundError
from gleitzeit.mcp_server.access.caller import Caller, caller_of
from gleitzeit.mcp_server.closing import closing
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.resources.addresses import SCHEMA_URI, Address, RunAddress, TaskAddress, parse_address

if TYPE_CHECKING:  # at run time the request brings it
    from gleitzeit.application import Application


async def watch_address(context: ServerRequestContext[Face, Any], uri: str) -> AsyncIterator[None]:
    """Yield whenever what stands at `uri` may have changed, until it never will again."""
    address = parse_address(uri)
    if address is None or uri == SCHEMA_URI:
        return
    application, caller = await context.lifespan_context.application.opened(), caller_of(context)
    if isinstance(address, RunAddress | TaskAddress):
        changes = _run(application, address, caller)
    else:
        changes = _content(application, address, caller)
    async for _ in changes:
        yield None


async def _run(application: Application, address: RunAddress | TaskAddress, caller: Caller) -> AsyncIterator[None]:
    """Whenever something becomes of a run, or of a task, until the run is over.

    Also at the start, where nothing may follow: it may have ended, or asked, after its subscriber has read it.
    """
    engine = application.engine
    try:
        run = await engine.get(address.run_id, caller=caller.sees)
        if run.over or run.status == "waiting":
            yield None
        async with closing(engine.events(address.run_id, run.seq, caller=caller.sees, patient=True)) as events:
            async for event in events:
                if isinstance(address, RunAddress) or event.task_id == address.task_id:
                    yield None
    except NotFoundError:  # it was forgotten meanwhile, or never was this caller's: there is nothing to tell
        return


async def _content(application: Application, address: Address, caller: Caller) -> AsyncIterator[None]:
    """Whenever a saved workflow, or how the servers stand, is another than before; also at the start, as above."""
    from gleitzeit.store.base import HEARTBEAT  # the application has brought it

    # Files change without telling anybody, so they are looked at as often as the store gives a sign of life.
    patience = HEARTBEAT if application.saved.has_directories else math.inf
    rings = application.changed.rings
    before = await _text(application, address, caller)
    yield None
    while True:
        with anyio.move_on_after(patience):
            await application.changed.rung(rings)
        rings = application.changed.rings
        found = await _text(application, address, caller)
        if found != before:
            before = found
            yield None


async def _text(application: Application, address: Address, caller: Caller) -> str:
    """What stands at an address now, or why nothing does."""
    from gleitzeit.mcp_server.resources.contents import content_at  # it imports the application

    try:
        return (await content_at(application, address, caller)).text
    except GleitzeitError as error:  # it is gone or broken, which is a change as well
        return error.message
