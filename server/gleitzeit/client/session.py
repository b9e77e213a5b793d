"""`Session`: what stands behind a `GleitzeitClient`, be it an engine in this process or a server."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
class Validation:
    """What is wrong with a document, and the ids of the tasks that may run at once."""

    valid: bool
    diagnostics: tuple[Diagnostic, ...]
    waves: tuple[tuple[str, ...], ...] = ()


class Session(abc.ABC):
    """An open connection. Methods that take a `run_id` raise `RunNotFoundError`."""

    @abc.abstractmethod
    async def submit(self, document: Document, inputs: Mapping[str, Any]) -> Run:
        """Start a workflow. Raises `DocumentError` and `ValidationError`."""

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
    def events(self, run_id: str, after: int = 0) -> AsyncIterator[Event]:
        """The run's events as they happen, until it is over."""

    @abc.abstractmethod
    async def validate(self, document: Document, inputs: Mapping[str, Any] | None) -> Validation:
        """What is wrong with a document."""

    @abc.abstractmethod
    async def methods(self) -> Sequence[MethodSpec]:
        """All methods there are."""
