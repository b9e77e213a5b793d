"""What calling a published tool means: another tool that does it, and the arguments of that one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.application import Application
from gleitzeit.core.errors import NotFoundError, WorkflowNotFoundError
from gleitzeit.mcp_server.published.exposure import exposed_method
from gleitzeit.mcp_server.published.names import WORKFLOW, workflow_named, workflow_tool

SERVER_TOOL = "tool of a server"
"""Whoever carries out the tools of downstream servers; no tool has such a name."""


@dataclass(frozen=True, slots=True)
class Target:
    """The `tool` that does it: a fixed one, or `SERVER_TOOL`, which takes the arguments of call_method."""

    tool: str
    arguments: Mapping[str, Any]


async def target_of(application: Application, caller: str, name: str, arguments: Mapping[str, Any]) -> Target:
    """What a call of a published tool means. Raises `NotFoundError` where none of that name is there for the caller."""
    if name.startswith(WORKFLOW):
        saved = await _workflow(application, caller, name)
        return Target("submit_workflow", {"name": saved, "inputs": arguments})
    method = await exposed_method(application, name)
    if method is None:
        raise NotFoundError(f'there is no tool "{name}"')
    return Target(SERVER_TOOL, {"method": method, "parameters": arguments})


def begun_target(name: str, arguments: Mapping[str, Any]) -> Target:
    """What a call that has begun a run already goes on as; its arguments are not needed any more."""
    return Target("submit_workflow" if name.startswith(WORKFLOW) else SERVER_TOOL, {"inputs": arguments})


async def _workflow(application: Application, caller: str, name: str) -> str:
    named = workflow_named(name)
    if named is not None:
        await application.saved.source(named, caller=caller)
        return named
    for saved in await application.saved.list(caller=caller):
        if workflow_tool(saved.name) == name:
            return saved.name
    raise WorkflowNotFoundError(f'there is no saved workflow for the tool "{name}"')
