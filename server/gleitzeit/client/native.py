"""A session with an engine in this process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gleitzeit.application import Application, open_application
from gleitzeit.client.session import Document, Resumption, Session, Validation
from gleitzeit.config import Configuration
from gleitzeit.core.models import Event, Run
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Reply, RunList

CALLER = "local"


@asynccontextmanager
async def native_session(config: Configuration, recover: bool) -> AsyncGenerator[Session]:
    """An engine of its own, with the providers of the registry of this process."""
    async with open_application(config, recover=recover) as application:
        yield NativeSession(application)


class NativeSession(Session):
    """Works with an `Application` directly."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._engine = application.engine

    async def submit(
        self, document: Document | str, inputs: Mapping[str, Any], idempotency_key: str | None = None
    ) -> Run:
        """Start a workflow on the engine."""
        if isinstance(document, str):
            document = Document((await self._application.saved.get(document, caller=CALLER)).workflow)
        return await self._application.submit(
            document.content,
            inputs,
            name=document.name,
            caller=CALLER,
            roots=document.roots,
            idempotency_key=idempotency_key,
        )

    async def resume(self, run_id: str, resumption: Resumption) -> Run:
        """Go on with a run on this engine."""
        return await self._application.resume(
            run_id,
            from_task=resumption.from_task,
            changes=resumption.changes,
            workflow=None if resumption.workflow is None else resumption.workflow.content,
            inputs=resumption.inputs,
            unknown=resumption.unknown,
            caller=CALLER,
        )

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Run:
        """Start one method as a run."""
        return await self._application.call(method, parameters, caller=CALLER)

    async def get(self, run_id: str) -> Run:
        """The run as the engine has it."""
        return await self._engine.get(run_id, caller=CALLER)

    async def list(self, status: str | None, name: str | None, limit: int, cursor: str | None) -> RunList:
        """Runs that fit, newest first."""
        return await self._engine.list(caller=CALLER, status=status, name=name, limit=limit, cursor=cursor)

    async def cancel(self, run_id: str, reason: str) -> Run:
        """Stop a run."""
        return await self._engine.cancel(run_id, reason, caller=CALLER)

    async def answer(self, run_id: str, question_id: str, content: Mapping[str, Any] | None) -> Run:
        """Answer a question of a run, whichever process carries it out."""
        reply = Reply("decline") if content is None else Reply("accept", content)
        return await self._engine.answer(run_id, question_id, reply, caller=CALLER)

    async def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """The engine's own events, as long as the run does not wait for an answer."""
        run = await self.get(run_id)
        if run.questions and run.seq <= after:
            return
        async for event in self._engine.events(run_id, after, caller=CALLER):
            yield event
            if run.questions or event.kind == "question.asked":
                run = await self.get(run_id)
                if run.questions and run.seq <= event.seq:
                    return

    async def validate(self, document: Document, inputs: Mapping[str, Any] | None) -> Validation:
        """Check a document without running it."""
        checked = await self._application.check(document.content, inputs, name=document.name)
        return Validation(checked.valid, checked.diagnostics, checked.waves)

    async def save_workflow(self, document: Document, name: str | None, overwrite: bool) -> int:
        """Keep a workflow in the database."""
        checked = await self._application.check(document.content, name=name or document.name)
        saved = await self._application.saved.save(checked, name=name, overwrite=overwrite, caller=CALLER)
        return saved.version

    async def saved_workflows(self) -> Sequence[str]:
        """The names of those in the database."""
        return [saved.name for saved in await self._application.saved.list(caller=CALLER)]

    async def delete_workflow(self, name: str) -> None:
        """Forget one of them."""
        await self._application.saved.delete(name, caller=CALLER)

    async def methods(self) -> Sequence[MethodSpec]:
        """All methods that may be used."""
        return await self._application.methods()
