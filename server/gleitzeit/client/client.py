"""`GleitzeitClient`: run tasks and workflows from a program."""

from __future__ import annotations

import inspect
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

from gleitzeit.core.errors import ConfigurationError, ProviderError, ValidationError
from gleitzeit.core.models import Event, Run, Task, TaskResult

# The engine, the MCP SDK and the configuration are loaded when a client is opened: a program that only imports the
# client, as every user's module does, should not pay for them.
if TYPE_CHECKING:
    from gleitzeit.client.documents import WorkflowSource
    from gleitzeit.client.session import Document, Session, Validation
    from gleitzeit.config import Configuration
    from gleitzeit.core.decisions import Decision
    from gleitzeit.core.protocol import MethodSpec
    from gleitzeit.engine.base import RunList

OnEvent = Callable[[Event], Awaitable[None] | None]

_CANCELLING = 5.0


class GleitzeitClient:
    """Runs tasks and workflows, in this process (`native`) or on a running server (`mcp`); used by `async with`.

    `url` is that of a server's `/mcp`, which may want a `token` (else that in `GLEITZEIT_TOKEN`); `command` starts a
    server of its own over stdio. `config` is a file, a `Configuration`, or a mapping of keys such as
    `{"engine.max_parallel_tasks": 8}`. With `recover`, a native client also goes on with the runs in its database that
    no process carries out any more, as a server does.
    """

    def __init__(
        self,
        mode: Literal["native", "mcp"] = "native",
        url: str | None = None,
        config: Configuration | Mapping[str, Any] | str | os.PathLike[str] | None = None,
        *,
        command: Sequence[str] | None = None,
        token: str | None = None,
        recover: bool = False,
    ) -> None:
        _check_mode(mode, url, command)
        self._mode = mode
        self._url = url
        self._command = command
        self._token = token
        self._config = config
        self._recover = recover
        self._stack = AsyncExitStack()
        self._opened: Session | None = None

    async def __aenter__(self) -> Self:
        self._opened = await self._stack.enter_async_context(self._connect())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._opened = None
        return await self._stack.__aexit__(kind, error, traceback)

    async def execute_task(self, task: Task | Mapping[str, Any] | None = None, /, **fields: Any) -> TaskResult:
        """Run one task, given as a `Task`, a mapping or keywords, and return what became of it.

        A task that fails is returned with its error. Raises `DocumentError` for one that can't be run at all.
        """
        from gleitzeit.client.session import Document  # see above

        document = task.model_dump() if isinstance(task, Task) else dict(task or {})
        document = {"id": "task", **document, **fields}
        run = await self._finish(await self._session.submit(Document({"tasks": [document]}), {}), None)
        return next(iter(run.tasks.values()))

    async def run_workflow(
        self, workflow: WorkflowSource, inputs: Mapping[str, Any] | None = None, on_event: OnEvent | None = None
    ) -> Run:
        """Run a workflow, given as a path, text, mapping or `Workflow`, and return the run once it is over.

        A run that fails is returned with its error; a run that waits for a decision or an answer is returned waiting.
        `on_event` is called with each event; it may answer a `question.asked`, and the run goes on. Raises
        `DocumentError` and, for inputs, `ValidationError`.
        """
        return await self._finish(await self.submit_workflow(workflow, inputs), on_event)

    async def submit_workflow(
        self,
        workflow: WorkflowSource | None = None,
        inputs: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        idempotency_key: str | None = None,
    ) -> Run:
        """Start a workflow, or the saved one of that `name`, and return its run at once.

        The same `idempotency_key` with the same workflow and inputs returns the run that it returned before; with
        others it raises `ConflictError`.
        """
        if (workflow is None) == (name is None):
            raise ValidationError("submit_workflow takes either a workflow or the name of a saved one")
        source = await self._document(workflow) if workflow is not None else name or ""
        return await self._session.submit(source, inputs or {}, idempotency_key)

    async def get_run(self, run_id: str) -> Run:
        """A run as it stands now. Raises `RunNotFoundError`."""
        return await self._session.get(run_id)

    async def list_runs(
        self, status: str | None = None, name: str | None = None, limit: int = 20, cursor: str | None = None
    ) -> RunList:
        """Runs that fit, newest first; pass `cursor` of the last answer for the next ones."""
        return await self._session.list(status, name, limit, cursor)

    async def cancel_run(self, run_id: str, reason: str = "") -> Run:
        """Stop a run; one that is over stays as it is."""
        return await self._session.cancel(run_id, reason)

    async def resume_run(
        self,
        run_id: str,
        from_task: str | None = None,
        changes: Mapping[str, Any] | None = None,
        workflow: WorkflowSource | None = None,
        inputs: Mapping[str, Any] | None = None,
        unknown: Mapping[str, Decision] | None = None,
    ) -> Run:
        """Go on with a run that failed, was cancelled, waits for a decision or lost its process; returns at once.

        Finished results are kept where the task and what it uses did not change. `changes` are merged into tasks, by
        their ids; `workflow` takes the place of the document; `inputs` are those that change. `from_task` runs again
        with what depends on it. `unknown` says of each unknown task whether to rerun or skip it, or that it is
        completed or failed. The same call once more gives the same run. Raises `ConflictError` while the run is carried
        out, where nothing is left to do, and where unknown tasks are not decided.
        """
        from gleitzeit.client.session import Resumption  # see above

        document = await self._document(workflow) if workflow is not None else None
        return await self._session.resume(run_id, Resumption(from_task, changes, document, inputs, unknown))

    async def answer_question(self, run_id: str, question_id: str, content: Mapping[str, Any] | None) -> Run:
        """Answer a question of `run.questions`, by None decline to; the run as it stands then.

        `events` waits for what becomes of it. Raises `ValidationError`, naming the field, for an answer that does not
        fit the question's schema: it stays open then. `ForbiddenError` for a question that only a person may answer,
        `NotFoundError` for one that was never asked, and `ConflictError` for one that is not open any more.
        """
        return await self._session.answer(run_id, question_id, content)

    async def save_workflow(self, workflow: WorkflowSource, name: str | None = None, overwrite: bool = False) -> int:
        """Check a workflow and keep it under a name; returns its version. Raises `ConflictError` for a taken name."""
        return await self._session.save_workflow(await self._document(workflow), name, overwrite)

    async def saved_workflows(self) -> Sequence[str]:
        """The names of all saved workflows."""
        return await self._session.saved_workflows()

    async def delete_workflow(self, name: str) -> None:
        """Forget a saved workflow; its runs stay. Raises `WorkflowNotFoundError`."""
        await self._session.delete_workflow(name)

    def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """The events of a run as they happen, until it is over, or waits for a decision or an answer."""
        return self._session.events(run_id, after)

    async def validate(self, workflow: WorkflowSource, inputs: Mapping[str, Any] | None = None) -> Validation:
        """Everything that is wrong with a workflow, without running it."""
        return await self._session.validate(await self._document(workflow), inputs)

    async def methods(self) -> Sequence[MethodSpec]:
        """All methods that workflows can use now."""
        return await self._session.methods()

    async def chat(self, prompt: str, model: str | None = None, *, system: str | None = None, **parameters: Any) -> str:
        """The answer of a language model. Raises `ProviderError` where there is none."""
        messages = [{"role": "system", "content": system}] if system else []
        given = {"messages": [*messages, {"role": "user", "content": prompt}], **parameters}
        run = await self._session.call("llm/chat", {**given, **({"model": model} if model else {})})
        result = next(iter((await self._finish(run, None)).tasks.values()))
        if result.status != "completed":
            raise result.error.to_error() if result.error is not None else ProviderError(f"the task is {result.status}")
        return str(result["response"])

    async def _document(self, workflow: WorkflowSource) -> Document:
        from gleitzeit.client.documents import document_of  # see above

        return await document_of(workflow)

    @property
    def _session(self) -> Session:
        if self._opened is None:
            raise ConfigurationError("the client is not open", hint="use `async with GleitzeitClient() as client`")
        return self._opened

    def _connect(self) -> AbstractAsyncContextManager[Session]:
        if self._mode == "native":
            from gleitzeit.client.native import native_session  # see above

            return native_session(self._configuration(), self._recover)
        from gleitzeit.client.remote import remote_session  # see above

        return remote_session(self._url, self._command, self._token or os.environ.get("GLEITZEIT_TOKEN"))

    def _configuration(self) -> Configuration:
        from gleitzeit.config import Configuration, load_configuration  # see above

        if isinstance(self._config, Configuration):
            return self._config
        if isinstance(self._config, Mapping):
            return load_configuration(overrides=self._config)
        return load_configuration(self._config)

    async def _finish(self, run: Run, on_event: OnEvent | None) -> Run:
        import anyio  # see above

        try:
            return await self._follow(run, on_event)
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(_CANCELLING, shield=True):
                await self._session.cancel(run.id, "the program that waited for it was cancelled")
            raise

    async def _follow(self, run: Run, on_event: OnEvent | None) -> Run:
        async for event in self._session.events(run.id):
            told = on_event(event) if on_event is not None else None
            if inspect.isawaitable(told):
                await told
        return await self._session.get(run.id)


def _check_mode(mode: str, url: str | None, command: Sequence[str] | None) -> None:
    if mode not in ("native", "mcp"):
        raise ConfigurationError(f'there is no mode "{mode}"', hint='mode is "native" or "mcp"')
    if mode == "mcp" and (url is None) == (command is None):
        raise ConfigurationError(
            'mode "mcp" takes either a url or a command',
            hint='for example url="http://127.0.0.1:8000/mcp", or command=["gleitzeit", "mcp"]',
        )
    if mode == "native" and (url is not None or command is not None):
        raise ConfigurationError("url and command are for a server", hint='pass mode="mcp" with them')
