"""`Session`: what stands behind a `GleitzeitClient`, be it an engine in this process or a server."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gleitzeit.core.decisions import Decision
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.models import Event, Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import RunList


@dataclass(frozen=True, slots=True)
class Document:
    """A workflow as it was given; `name` is the stem of its file, and `roots` has the folder of it."""

    content: str | bytes | Mapping[str, Any] | Workflow
    name: str | None = None
    roots: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Resumption:
    """What is to be different when a run is taken up again; what is absent stays as it was."""

    from_task: str | None = None
    changes: Mapping[str, Any] | None = None
    workflow: Document | None = None
    inputs: Mapping[str, Any] | None = None
    unknown: Mapping[str, Decision] | None = None


@dataclass(frozen=True, slots=True)
class Validation:
    """What is wrong with a document, and the ids of the tasks that may run at once."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    waves: tuple[tuple[str, ...], ...] = ()


class Session(abc.ABC):
    """An open connection. Methods that take a `run_id` raise `RunNotFoundError`."""

    @abc.abstractmethod
    async def submit(
        self, document: Document | str, inputs: Mapping[str, Any], idempotency_key: str | None = None
    ) -> Run:
        """Start a workflow, given as such or by the name it is saved under.

        Raises `DocumentError`, `ValidationError` and, where the key was used for something else, `ConflictError`.
        """

    @abc.abstractmethod
    async def call(self, method: str, parameters: Mapping[str, Any]) -> Run:
        """Start one method as a run whose only task is `call`. Raises `MethodNotFoundError`."""

    @abc.abstractmethod
    async def get(self, run_id: str) -> Run:
        """The run as it stands now."""

    @abc.abstractmethod
    async def list(self, status: str | None, name: str | None, limit: int, cursor: str | None) -> RunList:
        """Runs that fit, newest first."""

    @abc.abstractmethod
    async def cancel(self, run_id: str, reason: str) -> Run:
        """Stop a run."""

    @abc.abstractmethod
    async def resume(self, run_id: str, resumption: Resumption) -> Run:
        """Take a run up again. Raises `ConflictError` where that is not possible as it is."""

    @abc.abstractmethod
    async def answer(self, run_id: str, question_id: str, content: Mapping[str, Any] | None) -> Run:
        """Answer an open question of a run or, without content, decline to; the run as it stands then.

        Raises `ValidationError` for an answer that does not fit, `NotFoundError`, and `ConflictError` for a question
        that is not open any more.
        """

    @abc.abstractmethod
    def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """The run's events as they happen, until it is over or waits for somebody, and all are told."""

    @abc.abstractmethod
    async def validate(self, document: Document, inputs: Mapping[str, Any] | None) -> Validation:
        """What is wrong with a document."""

    @abc.abstractmethod
    async def save_workflow(self, document: Document, name: str | None, overwrite: bool) -> int:
        """Keep a workflow under a name; its version. Raises `ConflictError` where another one has that name."""

    @abc.abstractmethod
    async def saved_workflows(self) -> Sequence[str]:
        """The names of all saved workflows."""

    @abc.abstractmethod
    async def delete_workflow(self, name: str) -> None:
        """Forget a saved workflow. Raises `WorkflowNotFoundError`."""

    @abc.abstractmethod
    async def methods(self) -> Sequence[MethodSpec]:
        """All methods there are."""
