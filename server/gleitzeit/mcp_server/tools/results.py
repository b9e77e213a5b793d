"""The tool that reads results too large to be shown at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from gleitzeit.core.data import PathKey, kind_of
from gleitzeit.core.diagnostics import did_you_mean, listed
from gleitzeit.core.errors import ConflictError, NotFoundError
from gleitzeit.core.keys import task_of
from gleitzeit.core.models import Run, TaskResult
from gleitzeit.mcp_server.rendering.answer import Answer, compact, fitting, plain
from gleitzeit.mcp_server.rendering.places import parse_place, value_at
from gleitzeit.mcp_server.tools.call import Call
from gleitzeit.mcp_server.tools.grep import Search, search
from gleitzeit.mcp_server.tools.slices import Slice, slice_of

_MOST_MATCHES = 1_000
_WORDS_BESIDE = 600
_SMALLEST = 200


async def read_result(call: Call) -> Answer:
    """A place of a run's outputs or of a task's result: whole, from an offset on, or the lines of it that fit."""
    given = call.arguments
    task_id, keys = given.get("task_id", ""), parse_place(given.get("path", ""))
    whole = await _whole(call, given["run_id"], task_id)
    value = value_at(whole, _without_alias(whole, keys, task_id), task_id or "outputs")
    offset, limit = int(given["offset"]), given.get("limit")
    room = max(_SMALLEST, call.budget - _WORDS_BESIDE)
    if pattern := given.get("grep"):
        most = _MOST_MATCHES if limit is None else min(int(limit), _MOST_MATCHES)
        found = await search(value, pattern, offset, most)
        return _found(call, found, offset, room)
    return _read(call, value, slice_of(value, offset, None if limit is None else int(limit), room, keys))


async def _whole(call: Call, run_id: str, task_id: str) -> Any:
    engine, sees = call.application.engine, call.caller.sees
    if not task_id:
        run = await engine.get(run_id, caller=sees)
        if run.status != "completed":
            _no_outputs(run)
        return dict(run.outputs)
    results = await engine.results(run_id, caller=sees)
    if task_id not in results:
        hint = did_you_mean(task_id, results) or f"there are {listed(results)}"
        raise NotFoundError(f'the run has no task "{task_id}"', hint=hint)
    task = results[task_id]
    if task.result is None and task.status not in ("completed", "skipped"):
        raise _no_result(task, [key for key in results if task_of(key) == task_id and results[key].result is not None])
    return task.result


def _no_outputs(run: Run) -> NoReturn:
    done = [task_id for task_id, task in run.tasks.items() if task.status == "completed"]
    hint = f"give task_id: these have results: {listed(done)}" if done else "no task of it has a result yet"
    raise ConflictError(f"run {run.id} is {run.status}, so it has no outputs", hint=hint)


def _no_result(task: TaskResult, parts: Sequence[str]) -> ConflictError:
    reason = f": {task.error.message}" if task.error is not None else ""
    hint = f"of it these have results: {listed(parts)}" if parts else "inspect_run shows how the run stands"
    return ConflictError(f'task "{task.task_id}" is {task.status} and has no result{reason}', hint=hint)


def _without_alias(whole: Any, keys: tuple[PathKey, ...], task_id: str) -> tuple[PathKey, ...]:
    """`result` is the whole result where it has no field of that name, as in `${task.result}`."""
    named = keys[:1] == ("result",) and task_id and not (isinstance(whole, Mapping) and "result" in whole)
    return keys[1:] if named else keys


def _read(call: Call, value: Any, part: Slice) -> Answer:
    data: dict[str, Any] = {
        "value": part.value,
        "total": part.total,
        **({"offset": part.offset} if part.offset else {}),
    }
    head = part.whole if isinstance(value, str | list | tuple | Mapping) else kind_of(value)
    if part.offset and part.offset >= part.total:
        head += f"; there is nothing at {part.offset}"
    elif part.offset or part.next_offset is not None:
        head += f"; these are {part.offset} to {(part.next_offset or part.total) - 1}"
    steps: list[str] = []
    if part.cuts:
        data["cut"] = [cut.path for cut in part.cuts]
        places = ", ".join(f"{compact(cut.path)} ({cut.whole})" for cut in part.cuts)
        steps.append(f"what is cut stands at path {places}")
    if part.next_offset is not None:
        data["next_offset"] = part.next_offset
        steps.append(f"call read_result again with offset {part.next_offset} for the rest")
    return _answer(f"{head}.", part.value if isinstance(part.value, str) else compact(part.value), data, steps)


def _found(call: Call, found: Search, offset: int, room: int) -> Answer:
    shown = fitting(found.matches, room) or found.matches[:1]
    data: dict[str, Any] = {"matches": shown, "total": found.total}
    count = f"at least {found.total}" if found.cut_short else f"{found.total}"
    head = f"{count} match{'' if found.total == 1 else 'es'}{f', from {offset} on' if offset else ''}."
    steps: list[str] = []
    if found.cut_short:
        steps.append("the search took too long and stopped: give a longer path, or a simpler pattern")
    if shown and offset + len(shown) < found.total:
        data["next_offset"] = offset + len(shown)
        steps.append(f"call read_result again with offset {data['next_offset']} for further matches")
    if any("offset" in match for match in shown):
        steps.append("to read on at a match, give its path and its own offset, without grep")
    return _answer(head, "\n".join(_line(match) for match in shown), data, steps)


def _line(match: Mapping[str, Any]) -> str:
    place = f"{match['path']}: " if "path" in match else ""
    return f"{place}{match['text']}" if "offset" not in match else f"{place}[{match['offset']}] {match['text']}"


def _answer(head: str, text: str, data: dict[str, Any], steps: list[str]) -> Answer:
    lines = [head, text]
    if steps:
        data["next"] = "; ".join(steps)
        lines.append(f"Next: {data['next']}")
    return Answer("\n".join(lines), plain(data))
