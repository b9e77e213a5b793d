"""The values that fit what somebody has typed so far."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass

from gleitzeit.application import Application
from gleitzeit.core.errors import NotFoundError
from gleitzeit.engine.base import RunSummary
from gleitzeit.mcp_server.access.caller import Caller

MOST_VALUES = 100
_PAGE = 200
_MOST_RUNS = 1_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """The first values that fit, and how many there are, if that is known; else there may be more."""

    values: Sequence[str]
    total: int | None

    @property
    def more(self) -> bool:
        """Whether there are values that are not shown."""
        return self.total is None or self.total > len(self.values)


async def candidates(
    application: Application, caller: Caller, argument: str, typed: str, context: Mapping[str, str]
) -> Candidates:
    """The values of an argument that fit what was typed; `context` has the arguments that are settled already."""
    match argument:
        case "run_id":
            return await _runs(application, caller, typed)
        case "task_id":
            return _fitting(typed, await _tasks(application, caller, context.get("run_id", "")))
        case "name":
            return _fitting(typed, [saved.name for saved in await application.saved.list(caller=caller.name)])
        case "method":
            return _fitting(typed, [spec.name for spec in await application.methods()])
        case _:
            return Candidates((), 0)


def _fitting(typed: str, values: Iterable[str]) -> Candidates:
    """Those that begin like what was typed, then those that have it inside."""
    wanted = typed.casefold()
    found = [value for value in values if wanted in value.casefold()]
    found.sort(key=lambda value: not value.casefold().startswith(wanted))
    return Candidates(found[:MOST_VALUES], len(found))


async def _runs(application: Application, caller: Caller, typed: str) -> Candidates:
    """Ids of runs, newest first, found by their beginning or by the name of their workflow."""
    wanted, found, looked = typed.casefold(), list[str](), 0
    async for run in _newest(application, caller):
        looked += 1
        if run.id.startswith(wanted) or wanted in run.name.casefold():
            found.append(run.id)
        if len(found) > MOST_VALUES or looked >= _MOST_RUNS:
            return Candidates(found[:MOST_VALUES], None)
    return Candidates(found, len(found))


async def _newest(application: Application, caller: Caller) -> AsyncIterator[RunSummary]:
    cursor: str | None = None
    while True:
        page = await application.engine.list(caller=caller.sees, limit=_PAGE, cursor=cursor)
        for run in page.runs:
            yield run
        cursor = page.cursor
        if cursor is None:
            return


async def _tasks(application: Application, caller: Caller, run_id: str) -> list[str]:
    """The tasks of a run, with the items and calls that have begun; none where the caller has no such run."""
    try:
        return list(await application.engine.results(run_id, caller=caller.sees))
    except NotFoundError:
        return []
