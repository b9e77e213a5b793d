"""A session with a running server, over its MCP tools alone."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from gleitzeit.client import answers
from gleitzeit.client.connection import Connection, open_connection
from gleitzeit.client.session import Document, Resumption, Session, Validation
from gleitzeit.core.errors import LimitError
from gleitzeit.core.models import OVER, Event, Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import RunList

WAIT_SECONDS = 30
MOST_METHODS = 100


@asynccontextmanager
async def remote_session(
    url: str | None, command: Sequence[str] | None, token: str | None = None
) -> AsyncGenerator[Session]:
    """A session with the server at `url`, which may want a `token`, or with one that `command` starts.

    Raises `ProviderUnavailableError` where there is none.
    """
    async with open_connection(url, command, token) as connection:
        yield RemoteSession(connection)


class RemoteSession(Session):
    """Works with the tools of a server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def submit(
        self, document: Document | str, inputs: Mapping[str, Any], idempotency_key: str | None = None
    ) -> Run:
        """Start a workflow by `submit_workflow`."""
        source = {"name": document} if isinstance(document, str) else {"workflow": _written(document)}
        given = {**source, "inputs": dict(inputs), "wait_seconds": 0, "idempotency_key": idempotency_key}
        answer = await self._call("submit_workflow", _present(given))
        return await self.get(answer["run_id"])

    async def resume(self, run_id: str, resumption: Resumption) -> Run:
        """Go on with a run by `resume_run`."""
        given = {
            "run_id": run_id,
            "from_task": resumption.from_task,
            "changes": resumption.changes,
            "workflow": None if resumption.workflow is None else _written(resumption.workflow),
            "inputs": resumption.inputs,
            "unknown": resumption.unknown,
            "wait_seconds": 0,
        }
        return await self.get((await self._call("resume_run", _present(given)))["run_id"])

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Run:
        """Start one method by `call_method`."""
        answer = await self._call(
            "call_method", {"method": method, "parameters": dict(parameters), "timeout_seconds": 0}
        )
        return await self.get(answer["run_id"])

    async def get(self, run_id: str) -> Run:
        """The run, put together from two looks at it."""
        summary = await self._call("inspect_run", {"run_id": run_id})
        details = await self._call("inspect_run", {"run_id": run_id, "detail": "results"})
        return answers.run_of(summary, details)

    async def list(self, status: str | None, name: str | None, limit: int, cursor: str | None) -> RunList:
        """Runs by `list_runs`."""
        given = {"status": status, "name": name, "limit": limit, "cursor": cursor}
        return answers.run_list_of(await self._call("list_runs", _present(given)))

    async def cancel(self, run_id: str, reason: str) -> Run:
        """Stop a run by `cancel_run`."""
        await self._call("cancel_run", _present({"run_id": run_id, "reason": reason or None}))
        return await self.get(run_id)

    async def answer(self, run_id: str, question_id: str, content: Mapping[str, Any] | None) -> Run:
        """Answer a question by `answer_question`."""
        reply = {"decline": True} if content is None else {"answer": dict(content)}
        given = {"run_id": run_id, "question_id": question_id, **reply, "wait_seconds": 0}
        await self._call("answer_question", given)
        return await self.get(run_id)

    async def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """Events by `inspect_run`, which waits for the next ones at the server."""
        while True:
            given = {"run_id": run_id, "detail": "events", "after_seq": after}
            answer = await self._call("inspect_run", given)
            for event in answers.events_of(answer):
                after = event.seq
                yield event
            if "next" in answer:
                _check_progress(run_id, answer)
                continue
            if answer["status"] in OVER or (answer["status"] == "waiting" and not answer["events"]):
                return
            if answer["status"] == "waiting":  # whoever was told of a question may have answered it by now
                continue
            await self._call("inspect_run", {"run_id": run_id, "wait_seconds": WAIT_SECONDS})

    async def validate(self, document: Document, inputs: Mapping[str, Any] | None) -> Validation:
        """What `validate_workflow` says."""
        given = {"workflow": _written(document), "inputs": dict(inputs) if inputs else None}
        return answers.validation_of(await self._call("validate_workflow", _present(given)))

    async def save_workflow(self, document: Document, name: str | None, overwrite: bool) -> int:
        """Keep a workflow by `save_workflow`."""
        given = {"workflow": _written(document), "name": name or document.name, "overwrite": overwrite}
        return int((await self._call("save_workflow", _present(given)))["version"])

    async def saved_workflows(self) -> Sequence[str]:
        """The names that `list_workflows` shows."""
        return [saved["name"] for saved in (await self._call("list_workflows", {}))["workflows"]]

    async def delete_workflow(self, name: str) -> None:
        """Forget a workflow by `delete_workflow`."""
        await self._call("delete_workflow", {"name": name})

    async def methods(self) -> Sequence[MethodSpec]:
        """What `search_methods` shows of each provider, and the names of the rest."""
        overview = await self._call("search_methods", {})
        found = {spec.name: spec for spec in answers.methods_of(overview)}
        for provider in overview.get("providers", ()):
            given = {"provider": provider["provider"], "detail": "schema", "limit": MOST_METHODS}
            found |= {spec.name: spec for spec in answers.methods_of(await self._call("search_methods", given))}
        return [found[name] for name in sorted(found)]

    async def _call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        result = await self._connection.call(tool, arguments)
        text = "\n".join(block.text for block in result.content if block.type == "text")
        return answers.checked(tool, result.structured_content, bool(result.is_error), text)


def _check_progress(run_id: str, answer: Mapping[str, Any]) -> None:
    if not answer["events"]:
        raise LimitError(
            f"an event of run {run_id} is too large to be sent", hint="raise limits.result_tokens of the server"
        )


def _written(document: Document) -> str | Mapping[str, Any]:
    content = document.content
    if isinstance(content, Workflow):
        return content.canonical()
    return content.decode("utf-8", errors="replace") if isinstance(content, bytes) else content


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
