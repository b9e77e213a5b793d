"""The addresses of resources: `gleitzeit://runs/{run_id}` and its like."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

SCHEMA_URI = "gleitzeit://schema/workflow"
SERVERS_URI = "gleitzeit://servers"
RUN_TEMPLATE = "gleitzeit://runs/{run_id}"
TASK_TEMPLATE = "gleitzeit://runs/{run_id}/tasks/{task_id}"
WORKFLOW_TEMPLATE = "gleitzeit://workflows/{name}"

_SEGMENT = r"((?:[A-Za-z0-9\-._~!$&'()*+,;=:@\[\]]|[^\x00-\xa0]|%[0-9A-Fa-f]{2})+)"
_RUN = re.compile(rf"gleitzeit://runs/{_SEGMENT}")
_TASK = re.compile(rf"gleitzeit://runs/{_SEGMENT}/tasks/{_SEGMENT}")
_WORKFLOW = re.compile(rf"gleitzeit://workflows/{_SEGMENT}")
_LONGEST = 2_048
_STEPS = re.compile(r"[/\\]")


@dataclass(frozen=True, slots=True)
class RunAddress:
    """A run."""

    run_id: str


@dataclass(frozen=True, slots=True)
class TaskAddress:
    """A task of a run, an item `id[3]` or a call `id/2`."""

    run_id: str
    task_id: str


@dataclass(frozen=True, slots=True)
class WorkflowAddress:
    """A saved workflow."""

    name: str


@dataclass(frozen=True, slots=True)
class FixedAddress:
    """What is there once: the schema of documents, or the downstream servers."""

    uri: str


Address = RunAddress | TaskAddress | WorkflowAddress | FixedAddress


def parse_address(uri: str) -> Address | None:
    """What an address names; nothing where it is none of ours, or not written as we write them.

    A name is one segment, percent-encoded once: what decodes to control characters, or to a way up a tree, is no name.
    """
    if len(uri) > _LONGEST:
        return None
    if uri in (SCHEMA_URI, SERVERS_URI):
        return FixedAddress(uri)
    for pattern, kind in ((_RUN, RunAddress), (_TASK, TaskAddress), (_WORKFLOW, WorkflowAddress)):
        match = pattern.fullmatch(uri)
        if match is not None:
            names = [_name(segment) for segment in match.groups()]
            return None if None in names else kind(*(name for name in names if name is not None))
    return None


def run_uri(run_id: str) -> str:
    """The address of a run."""
    return f"gleitzeit://runs/{quote(run_id, safe='')}"


def task_uri(run_id: str, task_id: str) -> str:
    """The address of a task, an item or a call."""
    return f"{run_uri(run_id)}/tasks/{quote(task_id, safe='')}"


def workflow_uri(name: str) -> str:
    """The address of a saved workflow."""
    return f"gleitzeit://workflows/{quote(name, safe='')}"


def _name(segment: str) -> str | None:
    try:
        name = unquote_to_bytes(segment).decode()
    except ValueError:
        return None
    return name if name.isprintable() and not {".", ".."} & set(_STEPS.split(name)) else None
