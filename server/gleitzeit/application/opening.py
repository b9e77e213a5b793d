"""Putting an application together from its configuration."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import anyio.to_thread

from gleitzeit.application.application import Application
from gleitzeit.application.auditing import open_audit
from gleitzeit.application.discovery import load_providers
from gleitzeit.application.human_provider import HUMAN_PROVIDER, register_people
from gleitzeit.application.permission import Permission
from gleitzeit.application.saved_workflows import SavedWorkflows
from gleitzeit.application.stores import store_of
from gleitzeit.application.workflow_directories import WorkflowDirectories
from gleitzeit.application.workflow_provider import WORKFLOW_PROVIDER, register_workflows
from gleitzeit.audit.base import Audit
from gleitzeit.config import Configuration
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.core.shares import Room
from gleitzeit.engine.bell import Bell
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.base import Store
from gleitzeit.store.owners import this_process


@asynccontextmanager
async def open_application(
    config: Configuration,
    *,
    registry: ProtocolProviderRegistry | None = None,
    roots: Sequence[Path] = (),
    store: Store | None = None,
    recover: bool = True,
    warm: bool = True,
) -> AsyncGenerator[Application]:
    """An application for as long as the context lasts; runs that are not over then can be carried on by any other.

    `registry` is by default that of the process, and `store` that of the configuration; `roots` come before those of
    the configuration. Without `recover` it carries on no run that others have left; without `warm` connections are
    opened only when they are needed. Raises `ConfigurationError` for sections that do not fit their providers, for a
    database or an audit log that can't be used, `StoreError` for one that can't be used now.
    """
    chosen = ProtocolProviderRegistry.get_instance() if registry is None else registry
    folders = (*roots, *_existing(config.files.roots))
    permission = Permission(config.policy, chosen.names_of)
    kept = store_of(config) if store is None else store
    changed = Bell()
    saved = SavedWorkflows(kept, WorkflowDirectories(config.workflows.directories), changed.ring)
    # Providers' modules take a while to import, which should hold up nobody else in this event loop.
    await anyio.to_thread.run_sync(load_providers, chosen, config)
    workflows = register_workflows(chosen)
    register_people(chosen)
    limits = config.limits
    chosen.bound(limits.provider_parallel, limits.provider_queue, unbounded=[WORKFLOW_PROVIDER, HUMAN_PROVIDER])
    async with open_audit(config, folders) as audit, chosen.running():
        with workflows.serving(kept, saved), chosen.telling(changed.ring):
            async with _engine(config, chosen, kept, permission, audit, recover, changed) as engine:
                if warm:
                    await chosen.warm()
                yield Application(
                    engine, kept, chosen, config, folders, permission, audit=audit, saved=saved, changed=changed
                )


def _engine(
    config: Configuration,
    registry: ProtocolProviderRegistry,
    store: Store,
    permission: Permission,
    audit: Audit,
    recover: bool,
    changed: Bell,
) -> LocalEngine:
    return LocalEngine(
        registry,
        store,
        max_parallel_tasks=config.engine.max_parallel_tasks,
        secrets=config.secrets,
        policy=permission.require,
        asks=permission.asks,
        audit=audit,
        result_bytes=config.limits.result_bytes,
        open_runs=Room(config.limits.open_runs, shared=len({token.name for token in config.server.tokens}) > 1),
        keep_days=config.engine.keep.days,
        keep_runs=config.engine.keep.runs,
        recover=recover,
        owner=this_process(),
        elsewhere=changed.ring,
    )


def _existing(folders: Sequence[Path]) -> tuple[Path, ...]:
    for folder in folders:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"files.roots: {folder} can't be created: {os.strerror(error.errno or 0)}",
                hint="name a folder in files.roots that can be written, or set GLEITZEIT_HOME",
            ) from error
    return tuple(folder.resolve() for folder in folders)
