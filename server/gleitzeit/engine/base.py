"""The `Engine` contract: submit, watch, wait for and cancel runs."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gleitzeit.core.models import Event, Run, Workflow


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked workflow and what it is run with.

    `inputs` are complete: defaults filled in, types checked. `roots` are the folders its paths may lie in.
    """

    workflow: Workflow
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    caller: str = "local"
    roots: tuple[Path, ...] = ()
    parent_id: str | None = None
    parent_task: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as lists show it. Times are seconds since the epoch."""

    id: str
    name: str
    status: str
    created_at: float
    finished_at: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first; `cursor` asks for the next page."""

    runs: Sequence[RunSummary]
    cursor: str | None = None


class Engine(abc.ABC):
    """Runs workflows. `caller` limits what is seen to one caller's runs; None sees all.

    Every method that takes a `run_id` raises `RunNotFoundError` where the caller has no such run.
    """

    @abc.abstractmethod
    async def submit(self, submission: Submission) -> Run:
        """Accept a run, durably, and start it."""

    @abc.abstractmethod
    async def get(self, run_id: str, *, caller: str | None = None) -> Run:
        """The run as it stands now."""

    @abc.abstractmethod
    async def wait(self, run_id: str, timeout: float | None = None, *, caller: str | None = None) -> Run:
        """The run once it is over, or as it stands after `timeout` seconds."""

    @abc.abstractmethod
    async def list(
        self,
        *,
        caller: str | None = None,
        status: str | None = None,
        name: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunList:
        """Runs that fit, newest first. Raises `ValidationError` for a cursor that it did not give."""

    @abc.abstractmethod
    async def cancel(self, run_id: str, reason: str = "", *, caller: str | None = None) -> Run:
        """Stop a run and its children; one that is over stays as it is."""

    @abc.abstractmethod
    async def document(self, run_id: str, *, caller: str | None = None) -> Workflow:
        """The document that the run was submitted with."""

    @abc.abstractmethod
    def events(self, run_id: str, after: int = 0, *, caller: str | None = None) -> AsyncIterator[Event]:
        """The run's events after `seq` `after`, as they happen, until the run is over and all are told."""
