"""`Application`: what every face of Gleitzeit, be it MCP, Python or a command line, works with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gleitzeit.application.bystander import Bystander
from gleitzeit.application.changes import carried_inputs, changed_document
from gleitzeit.application.checking import Checked, Source, carried_out, check_source, describe
from gleitzeit.application.discovery import unasked
from gleitzeit.application.document_files import read_document
from gleitzeit.application.permission import Permission
from gleitzeit.application.saved_workflows import SavedWorkflows
from gleitzeit.application.undecided import Undecided, undecided_in
from gleitzeit.audit.base import Audit
from gleitzeit.audit.unwatched import UNWATCHED
from gleitzeit.config import Configuration
from gleitzeit.core.call_document import call_document
from gleitzeit.core.decisions import Decision
from gleitzeit.core.errors import ConflictError, ForbiddenError, MethodNotFoundError, ValidationError
from gleitzeit.core.findings import Finding
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.schema import check_parameters
from gleitzeit.engine.base import Engine, Resumption, Submission
from gleitzeit.engine.bell import Bell
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit.providers.tracing import in_current_trace
from gleitzeit.registry import ProtocolProviderRegistry, ProviderOverview
from gleitzeit.store.base import Store

_SERVERS = "mcp/servers"
_SERVER_TOOLS = "mcp/tools/list"
_LOGIN = "mcp/login"


class Application:
    """An engine, its providers and its configuration, ready for work.

    `roots` are the folders that paths in requests may lie in. `changed` rings when saved workflows or methods may be
    others than before, whoever has changed them.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        registry: ProtocolProviderRegistry,
        config: Configuration,
        roots: tuple[Path, ...],
        permission: Permission,
        *,
        audit: Audit = UNWATCHED,
        saved: SavedWorkflows | None = None,
        changed: Bell | None = None,
    ) -> None:
        self._permission = permission
        self._store = store
        self.engine = engine
        self.audit = audit
        self.saved = saved or SavedWorkflows(store)
        self.changed = changed or Bell()
        self.registry = registry
        self.config = config
        self.roots = roots

    async def check(
        self,
        source: Source,
        inputs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        caller: str = "local",
    ) -> Checked:
        """Everything that is wrong with a document, and how it would run. Inputs are checked where they are given."""

        async def find(saved: str) -> Workflow:
            return (await self.saved.get(saved, caller=caller)).workflow

        checked = await check_source(self.registry, source, name, self._permission.require, find)
        return checked if inputs is None else await carried_out(inputs, partial(checked.with_inputs, inputs))

    async def submit(
        self,
        source: Source | Checked,
        inputs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        caller: str = "local",
        roots: Sequence[Path] | None = None,
        idempotency_key: str | None = None,
        meta: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> Run:
        """Check a document and start it; returns as soon as the run is accepted. One that is checked starts as it is.

        Whoever is `patient`, for they wait for the run anyway, gets it when there is something to see of it.
        The same `idempotency_key` with the same document and inputs gives the run that it gave before. Raises
        `DocumentError` with all that is wrong with the document, `ValidationError` for inputs that do not fit, and
        `ConflictError` where the key was used for something else.
        """
        checked = source if isinstance(source, Checked) else await self.check(source, name=name, caller=caller)
        submission = await self._submission(checked, inputs, caller, roots, idempotency_key)
        try:
            return await self.engine.submit(replace(submission, meta=in_current_trace(meta or {}), patient=patient))
        except ConflictError as error:
            raise _with_way_out(error, submission) from error

    async def record(
        self,
        checked: Checked,
        *,
        caller: str = "local",
        roots: Sequence[Path] | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Accept a run as `submit` does, but leave it to another process to carry it out."""
        submission = await self._submission(checked, None, caller, roots, idempotency_key)
        try:
            return await self.engine.record(submission)
        except ConflictError as error:
            raise _with_way_out(error, submission) from error

    async def resume(
        self,
        run_id: str,
        *,
        from_task: str | None = None,
        changes: Mapping[str, Any] | None = None,
        workflow: Source | None = None,
        inputs: Mapping[str, Any] | None = None,
        unknown: Mapping[str, Decision] | None = None,
        caller: str | None = "local",
    ) -> Run:
        """Take a run up again: what ended well and has not changed is kept, the rest runs, as `Engine.resume` says.

        `changes` are keys of tasks that change, by task id; `workflow` takes the place of the whole document. Of
        `inputs`, those that are not given stay as they were. Raises `DocumentError` and `ValidationError` for what
        does not fit.
        """
        if changes and workflow is not None:
            raise ValidationError("changes and workflow exclude each other", hint="write the changes into the workflow")
        run = await self.engine.get(run_id, caller=caller)
        document = await self._changed(run, changes, workflow, caller)
        bound = None
        if document is not None or inputs:
            target = document or await self.engine.document(run_id, caller=caller)
            given = carried_inputs(target, run.inputs, inputs or {})
            bound = await carried_out(given, partial(bind_inputs, target, given))
        return await self.engine.resume(
            run_id, Resumption(document, bound, from_task or None, unknown or {}), caller=caller
        )

    async def _changed(
        self, run: Run, changes: Mapping[str, Any] | None, workflow: Source | None, caller: str | None
    ) -> Workflow | None:
        """The document that takes the place of the run's own, if one does, checked."""
        if workflow is None and not changes:
            return None
        if workflow is None:
            workflow = changed_document(await self.engine.document(run.id, caller=caller), changes or {})
        return (await self.check(workflow, name=run.name, caller=caller or "local")).require()

    async def abandoned(self, run: Run) -> frozenset[str] | None:
        """The methods of a run that no living process carries out; nothing where one does, or where it is over."""
        after: str | None = None
        while run.status in ("pending", "running") or run.questions:
            page = await self._store.orphans(after)
            for orphan in page:
                if orphan.run_id == run.id:
                    return orphan.methods
            if not page:
                break
            after = page[-1].run_id
        return None

    async def undecided(self, run: Run) -> Undecided:
        """What somebody has to say about a run before it can go on, or may have to."""
        return await undecided_in(self._store, run)

    async def call(
        self,
        method: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        caller: str = "local",
        timeout: float | None = None,
        roots: Sequence[Path] | None = None,
        meta: Mapping[str, str] | None = None,
        patient: bool = False,
    ) -> Run:
        """Start one method as a run of one task, `call`; parameters are data, in which `${...}` means nothing.

        `patient` is that of `submit`. Raises `MethodNotFoundError` and, where the method's schema is known,
        `ValidationError`.
        """
        given = dict(parameters or {})
        self._permission.require(method)
        described = await describe(self.registry, method)
        if isinstance(described, MethodNotFoundError):
            raise described
        spec = described if isinstance(described, MethodSpec) else MethodSpec()
        check_parameters(method, spec.parameters, given)
        document = call_document(method, given, spec.code, timeout=timeout)
        return await self.engine.submit(
            Submission(
                document,
                caller=caller,
                roots=self._with_roots(roots),
                meta=in_current_trace(meta or {}),
                patient=patient,
            )
        )

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

    async def examine(self) -> list[Finding]:
        """What each provider finds out about itself, and what is to be said of the directories of workflows.

        Of a provider that nobody asked for, no error is more than a warning.
        """
        findings = await self.registry.examine()
        found_out = [
            replace(finding, level="warning") if finding.level == "error" and unasked(self.registry, name) else finding
            for name, found in findings.items()
            for finding in found
        ]
        return [*found_out, *await self.saved.examine()]

    async def servers(self, wait: float = 0) -> list[dict[str, Any]]:
        """How each downstream server stands; none where nobody serves `mcp/servers`, or it may not be used.

        Those that are starting get `wait` seconds to be up or to fail.
        """
        return await self._of_servers(_SERVERS, "servers", {"wait": wait} if wait else {})

    async def server_tools(self, server: str | None = None, wait: float | None = None) -> list[dict[str, Any]]:
        """The tools of the downstream servers, or of one, as soon as those that start are up or have failed.

        After `wait` seconds, by default a few, without those that are not up by then.
        """
        given = {"server": server, "wait": wait}
        named = {key: value for key, value in given.items() if value is not None}
        return await self._of_servers(_SERVER_TOOLS, "tools", named)

    def allowed_names(self, method: str) -> Sequence[str]:
        """All names of a method; none where it may not be used."""
        return self.registry.names_of(method) if self._permission.allows(method) else ()

    async def log_in(self, server: str, tell: Callable[[str], None]) -> None:
        """Log in to a downstream server with the browser of a person, who is told by `tell` what to do.

        Raises `ForbiddenError` where `mcp/login` may not be used, and what goes wrong with the login itself.
        """
        self._permission.require(_LOGIN)
        leave = enter_task(TaskContext(support=Bystander(tell)))
        try:
            await self.registry.execute(_LOGIN, {"server": server})
        finally:
            leave()

    async def _of_servers(self, method: str, key: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        try:
            self._permission.require(method)
            answer = await self.registry.execute(method, parameters)
        except (MethodNotFoundError, ForbiddenError):
            return []
        return [dict(entry) for entry in answer.get(key, ())]

    async def read_path(self, path: str | os.PathLike[str], roots: Sequence[Path] | None = None) -> bytes:
        """The document in a file inside of the roots.

        Raises `WorkflowNotFoundError` naming the nearest file, `ForbiddenError` and `LimitError`.
        """
        return await read_document(path, self._with_roots(roots))

    async def _submission(
        self,
        checked: Checked,
        inputs: Mapping[str, Any] | None,
        caller: str,
        roots: Sequence[Path] | None,
        idempotency_key: str | None,
    ) -> Submission:
        workflow = checked.require()
        given = checked.inputs if inputs is None else inputs
        bound = await carried_out(given, partial(bind_inputs, workflow, given))
        return Submission(
            workflow, bound, caller=caller, roots=self._with_roots(roots), idempotency_key=idempotency_key or None
        )

    def _with_roots(self, roots: Sequence[Path] | None) -> tuple[Path, ...]:
        return tuple(dict.fromkeys((*roots, *self.roots))) if roots else tuple(self.roots)


def _with_way_out(error: ConflictError, submission: Submission) -> ConflictError:
    """The same error, which says of a key that was used for something else what to do about it."""
    if submission.idempotency_key is None or error.hint is not None:
        return error
    hint = "another document, or other inputs, need another key; the run of this key is that one"
    return ConflictError(error.message, hint=hint, details=error.details)
