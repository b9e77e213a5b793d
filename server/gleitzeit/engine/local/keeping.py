"""`Keeping`: under what the result of a task is kept for tasks like it, or why it is not."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio

from gleitzeit.core.digest import digest
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Task
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.results import copied
from gleitzeit.providers.base import NOT_CACHED, CacheKey, TaskContext, enter_task

logger = logging.getLogger("gleitzeit.engine")

SECONDS = 10.0
"""How long a provider has to say what decides a result."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """`digest` tells a result that may be kept; without it, `facts` say why it may not, for the task's metadata."""

    digest: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])


NOWHERE = Keeping()


async def keeping(context: RunContext, task: Task, parameters: dict[str, Any]) -> Keeping:
    """Under what the task's result is kept; it never fails, for the task can be carried out without."""
    if task.cache is None:
        return NOWHERE
    leave = enter_task(TaskContext(context.run.id, task.id, roots=context.roots, caller=context.run.caller))
    try:
        key = await _asked(context, task.method, parameters)
    finally:
        leave()
    if isinstance(key, str):
        return _not_kept(key)
    if not key.repeatable and not task.cache.force:
        reason = key.reason or "it would not come out the same again"
        return _not_kept(f"{reason}; `force: true` in `cache` keeps it anyhow")
    return _kept(context, task, parameters, key)


async def _asked(context: RunContext, method: str, parameters: dict[str, Any]) -> CacheKey | str:
    """What its provider says that decides the result, or why nothing is kept."""
    with anyio.move_on_after(SECONDS):
        try:
            key = await context.parts.methods.cache_key(method, copied(parameters))
        except GleitzeitError as error:
            return f"its provider could not say what decides it: {error.message}"
        return "its provider keeps no results" if key is None else key
    return f"its provider did not say within {SECONDS:g} s what decides it"


def _kept(context: RunContext, task: Task, parameters: dict[str, Any], key: CacheKey) -> Keeping:
    further = [key.facts] if key.facts else []
    try:
        return Keeping(digest(task.method, parameters, context.run.roots, *further))
    except (TypeError, ValueError) as error:
        logger.warning("%s: what decides its result is no JSON data: %s", task.method, error)
        return _not_kept("what its provider says that decides it is no JSON data")


def _not_kept(reason: str) -> Keeping:
    return Keeping(facts={NOT_CACHED: reason})
