"""What stands at each address, whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.application import Application
from gleitzeit.core.errors import NotFoundError
from gleitzeit.core.reading.yaml_writer import write_yaml
from gleitzeit.core.schema import workflow_schema
from gleitzeit.mcp_server.access.caller import Caller
from gleitzeit.mcp_server.rendering.answer import compact
from gleitzeit.mcp_server.resources.addresses import (
    SCHEMA_URI,
    Address,
    FixedAddress,
    RunAddress,
    TaskAddress,
    WorkflowAddress,
)

JSON = "application/json"
JSON_SCHEMA = "application/schema+json"
YAML = "application/yaml"

_HOUR = 3_600_000
_MINUTE = 60_000


@dataclass(frozen=True, slots=True)
class Content:
    """Text of a MIME type; for `fresh` milliseconds nobody needs to read it again. What is `shared` is no secret."""

    text: str
    mime_type: str
    fresh: int = 0
    shared: bool = False


async def content_at(application: Application, address: Address, caller: Caller) -> Content:
    """What stands at an address. Raises `NotFoundError` where the caller has no such run, task or workflow."""
    match address:
        case RunAddress(run_id):
            run = await application.engine.get(run_id, caller=caller.sees)
            return _json(run.to_dict(), over=run.over)
        case TaskAddress(run_id, task_id):
            return await _task(application, run_id, task_id, caller)
        case WorkflowAddress(name):
            saved = await application.saved.get(name, caller=caller.name)
            return Content(write_yaml(saved.workflow.canonical()), YAML)
        case FixedAddress(uri) if uri == SCHEMA_URI:
            return Content(compact(workflow_schema()), JSON_SCHEMA, _HOUR, shared=True)
        case FixedAddress():
            servers = await application.servers()
            return Content(compact({"servers": servers, "count": len(servers)}), JSON)


async def _task(application: Application, run_id: str, task_id: str, caller: Caller) -> Content:
    results = await application.engine.results(run_id, caller=caller.sees)
    if task_id not in results:
        raise NotFoundError(f'the run {run_id} has no task "{task_id}"')
    told = results[task_id].to_dict()
    return _json({"run_id": run_id, **told}, over=told["status"] in ("completed", "skipped"))


def _json(data: Mapping[str, Any], *, over: bool) -> Content:
    return Content(compact(data), JSON, _MINUTE if over else 0)
