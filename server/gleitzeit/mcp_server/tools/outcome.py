"""How a run is told to a model: its state, and its outputs or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from gleitzeit.core.diagnostics import listed
from gleitzeit.core.models import Failure, Run, TaskResult
from gleitzeit.mcp_server.rendering.answer import Answer, Whole, compact, cut, ended, fitting, plain, size, with_text
from gleitzeit.mcp_server.rendering.excerpt import Cut, excerpt
from gleitzeit.mcp_server.resources.addresses import run_uri, task_uri
from gleitzeit.mcp_server.tools.next_step import method_next, workflow_next

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.application import Undecided

_MOST_FAILURES = 20
_MOST_NAMES = 10
_LONGEST_REASON = 2_000


def run_answer(run: Run, budget: int, undecided: Undecided | None = None) -> Answer:
    """The answer about a workflow's run; `undecided` names what somebody has to decide on, by default its tasks."""
    outputs = _Outputs(dict(run.outputs), {"run_id": run.id}, "outputs")
    return _answer(run, outputs, budget, workflow_next(run, undecided))


def method_answer(run: Run, budget: int) -> Answer:
    """The answer about a run of one method, whose result stands for the run's outputs."""
    task = run.tasks[next(iter(run.tasks))]
    result: Any = task.result
    values = cast("Mapping[str, Any]", result) if isinstance(result, Mapping) else {"result": result}
    where = {"run_id": run.id, "task_id": task.task_id}
    outputs = _Outputs(values, where, "result")
    return _answer(run, outputs, budget, method_next(run))


def summary(run: Run) -> str:
    """One line: which run, how it stands, and how many of its tasks are in which state."""
    counts: dict[str, int] = {}  # and no Counter, which most runs take longer to make than to count
    for task_id in run.tasks:
        state = run.tasks[task_id].status
        counts[state] = counts.get(state, 0) + 1
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    end = f" after {run.finished_at - run.created_at:.1f} s" if run.finished_at is not None else ""
    origin = f", resumed from {run.resumed_from}" if run.resumed_from else ""
    return f"Run {run.id} ({run.name}{origin}): {run.status}{end}; tasks: {states or 'none'}."


def failures(run: Run) -> list[dict[str, Any]]:
    """The tasks that stand in the way, each with why and what to do."""
    bad = [task for task in run.tasks.values() if task.status in ("failed", "unknown")]
    return [_failure(task) for task in bad[:_MOST_FAILURES]]


@dataclass(frozen=True, slots=True)
class _Outputs:
    """What a run returns, and the arguments with which `read_result` reads it."""

    values: Mapping[str, Any]
    where: Mapping[str, str]
    name: str

    @property
    def uri(self) -> str:
        """The resource that it stands in."""
        run_id, task_id = self.where["run_id"], self.where.get("task_id")
        return run_uri(run_id) if task_id is None else task_uri(run_id, task_id)


def _answer(run: Run, outputs: _Outputs, budget: int, following: str | None) -> Answer:
    data: dict[str, Any] = {"run_id": run.id, "status": run.status}
    if run.resumed_from:
        data["resumed_from"] = run.resumed_from
    lines = [summary(run)]
    if run.questions:
        _tell_questions(run, budget, data, lines)
    whole: Whole | None = None
    if run.status == "completed":
        whole = _tell_outputs(outputs, budget, data, lines)
        following = data.get("next", following)
    else:
        _tell_failures(run, data, lines)
    if following:
        data["next"] = following
        lines.append(f"Next: {following}")
    told = data if "outputs" in data else plain(data)  # outputs are plain, and so is what stands beside them
    return Answer("\n".join(lines), told, run.status == "failed", whole)


def _tell_outputs(outputs: _Outputs, budget: int, data: dict[str, Any], lines: list[str]) -> Whole | None:
    text, values = with_text(outputs.values)
    total = size(text)
    if total <= budget:
        data["outputs"] = values
        lines.append(f"Outputs: {text}")
        return None
    shown = excerpt(outputs.values, budget // 2)
    data["preview"] = shown.value
    data["next"] = _reading(outputs.where, shown.cuts)
    lines.append(f"Outputs are too large to show whole ({total} bytes, at most {budget}); shortened they are:")
    lines.append(compact(shown.value))
    return Whole(outputs.uri, outputs.name, total)


def _reading(where: Mapping[str, str], cuts: Sequence[Cut]) -> str:
    """How to read what was cut; a workflow that needs only a part returns less in the first place."""
    calls = [f"{compact({**where, **({'path': cut.path} if cut.path else {})})} ({cut.whole})" for cut in cuts]
    return f"read what is cut by read_result with {', or with '.join(calls)}; grep finds lines in it"


def _tell_questions(run: Run, budget: int, data: dict[str, Any], lines: list[str]) -> None:
    data["questions"] = shown = fitting([question.to_dict() for question in run.questions], budget)
    lines += [
        f'- question {told["question_id"]} of task "{told["task_id"]}": {told["message"]}\n  {_who_answers(told)}'
        for told in shown
    ]
    if len(shown) < len(run.questions):
        lines.append(f"{len(run.questions) - len(shown)} more questions are shown once these are answered.")


def _who_answers(told: Mapping[str, Any]) -> str:
    if told.get("person"):
        return "Only a person can answer it, and no tool."
    if "default" in told:
        return f"The answer fits {compact(told['schema'])}; by default it is {compact(told['default'])}"
    return f"The answer fits {compact(told['schema'])}"


def _tell_failures(run: Run, data: dict[str, Any], lines: list[str]) -> None:
    failed = failures(run)
    if failed:
        data["failed"] = failed
        lines += [_failure_line(item) for item in failed]
    if run.error is not None:
        data["error"] = _reason(run.error)
        if not failed:
            lines.append(f"Reason: {cut(str(run.error), _LONGEST_REASON)} [{run.error.code}]")
    busy = [task.task_id for task in run.tasks.values() if task.status in ("running", "waiting")]
    if busy:
        lines.append(f"Under way: {listed(busy, _MOST_NAMES)}.")
    lines += [_waiting_line(task) for task in run.tasks.values() if task.not_before is not None][:_MOST_NAMES]


def _failure(task: TaskResult) -> dict[str, Any]:
    reason = _reason(task.error) if task.error is not None else {"code": "unknown", "message": "no reason is known"}
    return {"task_id": task.task_id, "status": task.status, "attempts": task.attempts, **reason}


def _reason(failure: Failure) -> dict[str, Any]:
    reason = {"code": failure.code, "message": cut(failure.message, _LONGEST_REASON)}
    return {**reason, "hint": failure.hint} if failure.hint else reason


def _failure_line(item: Mapping[str, Any]) -> str:
    attempts = f" after {item['attempts']} attempts" if item["attempts"] > 1 else ""
    hint = f" Hint: {ended(item['hint'])}" if item.get("hint") else ""
    unknown = "is unknown: it may or may not have been carried out, and nobody saw how it ended"
    state = unknown if item["status"] == "unknown" else f"failed{attempts}"
    return f'- task "{item["task_id"]}" {state}: {item["message"]} [{item["code"]}].{hint}'


def _waiting_line(task: TaskResult) -> str:
    due = datetime.fromtimestamp(task.not_before or 0.0, UTC).isoformat(timespec="seconds")
    reason = f" after: {cut(task.error.message, _LONGEST_REASON)}" if task.error is not None else ""
    return f'- task "{task.task_id}" waits for its attempt {task.attempts + 1}, due at {due}{reason}'
