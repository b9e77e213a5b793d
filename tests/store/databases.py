"""A database file as a test opens it, and what is written to it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Change, EventDraft, Owner, RunRow
from gleitzeit.store.sqlite import SqliteStore

WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/do"}]})


@asynccontextmanager
async def opened(file: Path, owner: str = "one", **options: Any) -> AsyncGenerator[SqliteStore]:
    store = SqliteStore(file, **options)
    await store.open(Owner(owner))
    try:
        yield store
    finally:
        await store.close()


def new(run_id: str, **fields: Any) -> Change:
    row = RunRow(run_id, "local", WORKFLOW, {}, "running", 100.0)
    return Change(run_id, run=row, new=True, events=[EventDraft("run.submitted", 100.0)], **fields)


async def ids(store: SqliteStore) -> list[str]:
    return sorted(head.id for head in (await store.runs(limit=10_000)).runs)
