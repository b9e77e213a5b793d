"""Tasks as the extension writes them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import mcp_types as types
from pydantic import BaseModel

from gleitzeit.mcp_server.tasks.base import CallTask


class TaskParams(types.RequestParams):
    """Which task a request is about."""

    task_id: str


class UpdateParams(TaskParams):
    """Answers to what a task asks; those to what it does not ask are nobody's business, whatever they are."""

    input_responses: dict[str, Any]


def created(task: CallTask) -> dict[str, Any]:
    """The answer to a tool call that goes on as a task."""
    return {"resultType": "task", **_metadata(task)}


def detailed(task: CallTask) -> dict[str, Any]:
    """A task with all that belongs to its status."""
    told = _metadata(task)
    if task.status == "input_required":
        told["inputRequests"] = {key: _plain(request) for key, request in task.input_requests.items()}
    if task.status == "completed" and task.result is not None:
        told["result"] = {"resultType": "complete", **task.result}
    if task.status == "failed" and task.error is not None:
        told["error"] = _plain(task.error)
    return told


def _metadata(task: CallTask) -> dict[str, Any]:
    return {
        "taskId": task.id,
        "status": task.status,
        **({"statusMessage": task.message} if task.message else {}),
        "createdAt": _moment(task.created_at),
        "lastUpdatedAt": _moment(task.updated_at),
        "ttlMs": None if task.ttl is None else max(1, round(task.ttl * 1000)),
        "pollIntervalMs": max(1, round(task.poll_interval * 1000)),
    }


def _plain(model: BaseModel) -> Mapping[str, Any]:
    return model.model_dump(by_alias=True, mode="json", exclude_none=True)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
