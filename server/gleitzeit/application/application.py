"""`Application`: what every face of Gleitzeit, be it MCP, Python or a command line, works with."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from gleitzeit.application.checking import Checked, Source, carried_out, check_source, describe
from gleitzeit.application.discovery import load_providers
from gleitzeit.application.document_files import read_document
from gleitzeit.application.permission import Permission
from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.config import Configuration
from gleitzeit.core.call_document import call_document
from gleitzeit.core.errors import ConfigurationError, ForbiddenError, MethodNotFoundError
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.schema import check_parameters
from gleitzeit.engine.base import Engine, Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry, ProviderOverview

_SERVERS = "mcp/servers"


class Application:
    """An engine, its providers and its configuration, ready for work.

    `roots` are the folders that paths in requests may lie in.
    """

    def __init__(
        self,
        engine: Engine,
        registry: ProtocolProviderRegistry,
        config: Configuration,
        roots: tuple[Path, ...],
        permission: Permission,
    ) -> None:
        self._permission = permission
        self.engine = engine
        self.registry = registry
        self.config = config
        self.roots = roots

    async def check(
        self, source: Source, inputs: Mapping[str, Any] | None = None, *, name: str | None = None
    ) -> Checked:
        """Everything that is wrong with a document, and how it would run. Inputs are checked where they are given."""
        checked = await check_source(self.registry, source, name, self._permission.require)
        return checked if inputs is None else await carried_out(inputs, partial(checked.with_inputs, inputs))

    async def submit(
        self,
        source: Source | Checked,
        inputs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        caller: str = "local",
        roots: Sequence[Path] | None = None,
    ) -> Run:
        """Check a document and start it; returns as soon as the run is accepted. One that is checked starts as it is.

        Raises `DocumentError` with all that is wrong with it, and `ValidationError` for inputs that do not fit.
        """
        checked = source if isinstance(source, Checked) else await self.check(source, name=name)
        workflow = checked.require()
        given = checked.inputs if inputs is None else inputs
        bound = await carried_out(given, partial(bind_inputs, workflow, given))
        return await self._start(workflow, bound, caller, roots)

    async def call(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        caller: str = "local",
        timeout: float | None = None,
        roots: Sequence[Path] | None = None,
    ) -> Run:
        """Start one method as a run of one task, `call`; parameters are data, in which `${...}` means nothing.

        Raises `MethodNotFoundError` and, where the method's schema is known, `ValidationError`.
        """
        given = dict(parameters or {})
        self._permission.require(method)
        described = await describe(self.registry, method)
        if isinstance(described, MethodNotFoundError):
            raise described
        spec = described if isinstance(described, MethodSpec) else MethodSpec()
        check_parameters(method, spec.parameters, given)
        return await self._start(call_document(method, given, spec.code, timeout=timeout), {}, caller, roots)

    async def methods(self) -> list[MethodSpec]:
        """All methods that may be used now, by name."""
        return [spec for spec in await self.registry.list_methods() if self._permission.allows(spec.name)]

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say.

        Raises `MethodNotFoundError`, and `ForbiddenError` for one that may not be used.
        """
        self._permission.require(method)
        return await self.registry.describe(method)

    def provider_of(self, method: str) -> str | None:
        """The id of the provider that would get `method` now; nothing where there is none."""
        return self.registry.provider_of(method)

    def providers(self) -> list[ProviderOverview]:
        """How each provider stands, as far as is known."""
        return self.registry.overview()

    async def check_health(self) -> None:
        """Ask each provider in use how it is, so that `providers` knows."""
        await self.registry.check_health()

    async def servers(self) -> list[dict[str, Any]]:
        """How each downstream server stands; none where nobody serves `mcp/servers`, or it may not be used."""
        try:
            self._permission.require(_SERVERS)
            answer = await self.registry.execute(_SERVERS, {})
        except (MethodNotFoundError, ForbiddenError):
            return []
        return [dict(server) for server in answer.get("servers", ())]

    async def read_path(self, path: str | os.PathLike[str], roots: Sequence[Path] | None = None) -> bytes:
        """The document in a file inside of the roots.

        Raises `WorkflowNotFoundError` naming the nearest file, `ForbiddenError` and `LimitError`.
        """
        return await read_document(path, self._with_roots(roots))

    async def _start(
        self, workflow: Workflow, inputs: Mapping[str, Any], caller: str, roots: Sequence[Path] | None
    ) -> Run:
        return await self.engine.submit(Submission(workflow, inputs, caller=caller, roots=self._with_roots(roots)))

    def _with_roots(self, roots: Sequence[Path] | None) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*(roots or ()), *self.roots)))


@asynccontextmanager
async def open_application(
    config: Configuration, *, registry: ProtocolProviderRegistry | None = None, roots: Sequence[Path] = ()
) -> AsyncGenerator[Application]:
    """An application for as long as the context lasts; runs that are not over then are cancelled.

    `registry` is by default that of the process; `roots` come before those of the configuration. Raises
    `ConfigurationError` for sections that do not fit their providers.
    """
    chosen = ProtocolProviderRegistry.get_instance() if registry is None else registry
    folders = (*roots, *_existing(config.files.roots))
    permission = Permission(config.policy)
    # Providers' modules take a while to import, which should hold up nobody else in this event loop.
    await anyio.to_thread.run_sync(load_providers, chosen, config)
    register_workflows(chosen)
    async with chosen.running(), _engine(config, chosen, permission) as engine:
        await chosen.warm()
        yield Application(engine, chosen, config, folders, permission)


def _engine(config: Configuration, registry: ProtocolProviderRegistry, permission: Permission) -> LocalEngine:
    return LocalEngine(
        registry,
        max_parallel_tasks=config.engine.max_parallel_tasks,
        secrets=config.secrets,
        policy=permission.require,
        result_bytes=config.limits.result_bytes,
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
