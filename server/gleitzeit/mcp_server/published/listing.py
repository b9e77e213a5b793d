"""The tools that come and go, as a caller's list of tools has them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import anyio
import mcp_types as types

from gleitzeit.application import Application
from gleitzeit.core.check import methods_of
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.mcp_server.published.exposure import exposed_tools
from gleitzeit.mcp_server.published.tools import tool_of_server, tool_of_workflow

MOST = 100
"""How many tools are listed beside the fixed ones: some hosts take no more than 128, and models choose badly of many.
"""

_GLANCE = 0.25


async def tools_beside(application: Application, caller: str, wait: float = 0) -> list[types.Tool]:
    """The saved workflows of a caller and the exposed tools, of servers that are up within `wait` seconds."""
    exposed = await exposed_tools(application, max(0.0, wait - _GLANCE))
    tools = [tool_of_server(tool) for tool in exposed[:MOST]]
    saved = await application.saved.list(caller=caller)
    newest = sorted(saved, key=lambda each: each.updated_at, reverse=True)[: MOST - len(tools)]
    called = {each.name: sorted(methods_of(each.workflow)) for each in newest}
    known = await _known(application, {method for methods in called.values() for method in methods})
    shown = sorted(newest, key=lambda each: each.name)
    return [*(tool_of_workflow(each, _specs(called[each.name], known)) for each in shown), *tools]


def _specs(methods: Iterable[str], known: Mapping[str, MethodSpec]) -> Sequence[MethodSpec | None]:
    return [known.get(method) for method in methods]


async def _known(application: Application, methods: Iterable[str]) -> Mapping[str, MethodSpec]:
    """What is known of methods without waiting for servers that are not up."""
    known: dict[str, MethodSpec] = {}

    async def enter(method: str) -> None:
        try:
            spec = await application.describe(method)
        except GleitzeitError:  # the tool that calls it is taken for one that does something
            return
        if spec is not None:
            known[method] = spec

    with anyio.move_on_after(_GLANCE):
        async with anyio.create_task_group() as tasks:
            for method in methods:
                tasks.start_soon(enter, method)
    return known
