"""Tools about runs that were submitted before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from gleitzeit.core.models import Event, Run, TaskResult
from gleitzeit.engine.base import RunSummary
from gleitzeit.mcp_server.closing import closing
from gleitzeit.mcp_server.rendering.answer import Answer, compact, cut, fitting, plain, size
from gleitzeit.mcp_server.rendering.excerpt import excerpt
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.next_step import abandoned_next
from gleitzeit.mcp_server.tools.outcome import run_answer, summary
from gleitzeit.mcp_server.tools.watch import watch, words

_MOST_EVENTS = 200
_RESULT_START = 300
_URGENCY = ("failed", "unknown", "waiting", "running", "ready", "pending", "cancelled", "skipped", "completed")


async def inspect_run(call: Call) -> Answer:
    """How a run stands, in the detail that was asked for; may wait for its end first."""
    run = call.begun or await call.application.engine.get(call.arguments["run_id"], caller=call.caller.sees)
    run = await watch(call, run, call.arguments["wait_seconds"])
    detail = call.arguments["detail"]
    if detail in ("tasks", "results"):
        return _tasks(run, call.budget, whole=detail == "results")
    if detail == "events":
        return await _events(call, run)
    if detail == "document":
        return await _document(call, run)
    answer = run_answer(run, call.budget, await call.application.undecided(run))
    return _summary(run, answer, await call.application.abandoned(run))


async def list_runs(call: Call) -> Answer:
    """Runs that fit, newest first."""
    filters = {key: call.arguments.get(key) for key in ("status", "name", "cursor")}
    found = await call.application.engine.list(caller=call.caller.sees, limit=call.arguments["limit"], **filters)
    runs = [
        {
            "run_id": run.id,
            "name": run.name,
            "status": run.status,
            **_times(run),
            **({"error": run.error} if run.error else {}),
        }
        for run in found.runs
    ]
    lines = [f"- {compact(run)}" for run in runs] or ["No run fits."]
    if found.cursor:
        lines.append(f'There are more: call list_runs again with cursor "{found.cursor}".')
    data = {"runs": runs, **({"cursor": found.cursor} if found.cursor else {})}
    return Answer("\n".join(lines), plain(data))


async def cancel_run(call: Call) -> Answer:
    """The run, stopped."""
    reason = call.arguments.get("reason", "")
    run = await call.application.engine.cancel(call.arguments["run_id"], reason, caller=call.caller.sees)
    answer = run_answer(run, call.budget, await call.application.undecided(run))
    return Answer(answer.text, answer.data)  # that it had failed before is no failure of cancelling it


def _summary(run: Run, answer: Answer, abandoned: Collection[str] | None) -> Answer:
    counts = Counter(task.status for task in run.tasks.values())
    data = {**answer.data, "name": run.name, "counts": dict(counts)}
    if abandoned is None:
        return Answer(answer.text, data, whole=answer.whole)
    following = abandoned_next(run, abandoned)
    whole = f"{answer.data['next']}; {following}" if run.questions else following  # an answer is recorded all the same
    return Answer(f"{answer.text}\nNext: {following}", {**data, "next": whole})


def _tasks(run: Run, budget: int, *, whole: bool) -> Answer:
    data: dict[str, Any] = {"run_id": run.id, "status": run.status, "name": run.name, **_times(run)}
    lines = [summary(run)]
    if whole and (taken := size(compact(run.inputs))) <= budget:
        data["inputs"] = run.inputs
        lines.append(f"Inputs: {compact(run.inputs)}")
        budget -= taken
    data["tasks"] = tasks = _rows(run, budget, whole=whole)
    lines += [f"- {compact(task)}" for task in tasks]
    if any("result_start" in task and task["result_size"] > _RESULT_START for task in tasks):
        data["next"] = f"read_result with {compact({'run_id': run.id, 'task_id': '...'})} reads a result whole"
        lines.append(f"Next: {data['next']}")
    if len(tasks) < len(run.tasks):
        order = 'detail "tasks" has' if whole else "these are"
        lines.append(f"{len(run.tasks) - len(tasks)} more tasks are not shown; {order} the most urgent ones.")
    return Answer("\n".join(lines), plain(data))


def _rows(run: Run, budget: int, *, whole: bool) -> list[dict[str, Any]]:
    """The tasks that fit: with whole results as the document has them, else the most urgent first."""
    rows: list[dict[str, Any]] = []
    urgent = sorted(run.tasks.values(), key=lambda task: _URGENCY.index(task.status))
    for task in run.tasks.values() if whole else urgent:
        row = next((form for form in _forms(task, whole=whole) if size(compact(form)) <= budget), None)
        if row is None:
            break
        budget -= size(compact(row))
        rows.append(row)
    return rows


def _forms(task: TaskResult, *, whole: bool) -> Iterator[dict[str, Any]]:
    """A task in all the lengths that it can be told in, the longest first."""
    if whole:
        told = _row(task, whole=True)
        yield {**told, "metadata": task.metadata} if task.metadata else told
        yield told
    yield _row(task, whole=False)


def _row(task: TaskResult, *, whole: bool) -> dict[str, Any]:
    told: dict[str, Any] = {"task_id": task.task_id, "status": task.status, "attempts": task.attempts}
    if task.started_at is not None:
        told["started_at"] = _moment(task.started_at)
    if task.started_at is not None and task.finished_at is not None:
        told["seconds"] = round(task.finished_at - task.started_at, 3)
    if task.error is not None:
        told["error"] = task.error.to_dict()
    if task.not_before is not None:
        told["next_attempt_at"] = _moment(task.not_before)
    if task.metadata.get("kept_from"):
        told["kept_from"] = task.metadata["kept_from"]
    if task.result is not None:
        told |= {"result": task.result} if whole else _begun(task.result)
    return told


def _begun(result: Any) -> dict[str, Any]:
    text = compact(result)
    return {"result_size": size(text), "result_start": text.encode()[:_RESULT_START].decode(errors="ignore")}


async def _events(call: Call, run: Run) -> Answer:
    after = call.arguments["after_seq"]
    found = await _recorded(call, run, after)
    told = [event.to_dict() for event in found]
    shown = fitting(told, call.budget) or [_shortened(event, call.budget) for event in told[:1]]
    last = shown[-1]["seq"] if shown else after
    lines = [summary(run), *(f"{event.seq}. {words(event)}" for event in found[: len(shown)])]
    data: dict[str, Any] = {"run_id": run.id, "status": run.status, "events": shown, "last_seq": last}
    if last < run.seq:
        data["next"] = f"there are more events: call inspect_run again with after_seq {last}"
        lines.append(f"Next: {data['next']}")
    return Answer(cut("\n".join(lines), call.budget), plain(data))


def _shortened(event: dict[str, Any], budget: int) -> dict[str, Any]:
    """An event that is too large to be shown whole; whoever reads on must get past it."""
    return {**event, "data": excerpt(event["data"], budget // 2).value}


async def _recorded(call: Call, run: Run, after: int) -> list[Event]:
    """The events that have happened by now, for the engine's own iterator waits for those to come."""
    found: list[Event] = []
    if after >= run.seq:
        return found
    async with closing(call.application.engine.events(run.id, after, caller=call.caller.sees)) as events:
        async for event in events:
            found.append(event)
            if event.seq >= run.seq or len(found) >= _MOST_EVENTS:
                break
    return found


async def _document(call: Call, run: Run) -> Answer:
    workflow = await call.application.engine.document(run.id, caller=call.caller.sees)
    document = workflow.canonical()
    text = compact(document)
    data: dict[str, Any] = {"run_id": run.id, "status": run.status}
    if size(text) <= call.budget:
        data["document"] = document
    return Answer(f"{summary(run)}\n{cut(text, call.budget)}", plain(data))


def _times(run: Run | RunSummary) -> dict[str, str]:
    end = {} if run.finished_at is None else {"finished_at": _moment(run.finished_at)}
    return {"created_at": _moment(run.created_at), **end}


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
