"""How a run is told to a model: its state, and its outputs or why there are none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

from gleitzeit.core.models import Failure, Run, TaskResult
from gleitzeit.mcp_server.tools.answer import Answer, compact, cut, ended, fitting, plain, preview, size
from gleitzeit.mcp_server.tools.next_step import method_next, workflow_next

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.application import Undecided

_MOST_FAILURES = 20
_MOST_NAMES = 10
_LONGEST_REASON = 2_000


def run_answer(run: Run, budget: int, undecided: Undecided | None = None) -> Answer:
    """The answer about a workflow's run; `undecided` names what somebody has to decide on, by default its tasks."""
    return _answer(run, dict(run.outputs), budget, workflow_next(run, undecided))


def method_answer(run: Run, budget: int) -> Answer:
    """The answer about a run of one method, whose result stands for the run's outputs."""
    result = next(iter(run.tasks.values())).result if run.tasks else None
    outputs = cast("Mapping[str, Any]", result) if isinstance(result, Mapping) else {"result": result}
    return _answer(run, outputs, budget, method_next(run))


def summary(run: Run) -> str:
    """One line: which run, how it stands, and how many of its tasks are in which state."""
    counts = Counter(task.status for task in run.tasks.values())
    states = ", ".join(f"{count} {state}" for state, count in counts.items())
    end = f" after {run.finished_at - run.created_at:.1f} s" if run.finished_at is not None else ""
    origin = f", resumed from {run.resumed_from}" if run.resumed_from else ""
    return f"Run {run.id} ({run.name}{origin}): {run.status}{end}; tasks: {states or 'none'}."


def failures(run: Run) -> list[dict[str, Any]]:
    """The tasks that stand in the way, each with why and what to do."""
    bad = [task for task in run.tasks.values() if task.status in ("failed", "unknown")]
    return [_failure(task) for task in bad[:_MOST_FAILURES]]


def _answer(run: Run, outputs: Mapping[str, Any], budget: int, following: str | None) -> Answer:
    data: dict[str, Any] = {"run_id": run.id, "status": run.status}
    if run.resumed_from:
        data["resumed_from"] = run.resumed_from
    lines = [summary(run)]
    if run.questions:
        _tell_questions(run, budget, data, lines)
    if run.status == "completed":
        following = _tell_outputs(outputs, budget, data, lines) or following
    else:
        _tell_failures(run, data, lines)
    if following:
        data["next"] = following
        lines.append(f"Next: {following}")
    return Answer("\n".join(lines), plain(data), failed=run.status == "failed")


def _tell_outputs(outputs: Mapping[str, Any], budget: int, data: dict[str, Any], lines: list[str]) -> str | None:
    text = compact(outputs)
    total = size(text)
    if total <= budget:
        data["outputs"] = outputs
        lines.append(f"Outputs: {text}")
        return None
    data["preview"] = preview(outputs, budget // 2)
    lines.append(f"Outputs are too large to show whole ({total} bytes, at most {budget}). They begin:")
    lines.append(cut(compact(data["preview"]), budget))
    return (
        "a later task can take what is needed from them: outputs such as ${task.field[0]}, or a task that makes them "
        "shorter; limits.result_tokens in the configuration sets how much is shown"
    )


def _tell_questions(run: Run, budget: int, data: dict[str, Any], lines: list[str]) -> None:
    data["questions"] = shown = fitting([question.to_dict() for question in run.questions], budget)
    lines += [
        f'- question {told["question_id"]} of task "{told["task_id"]}": {told["message"]}\n'
        f"  The answer fits {compact(told['schema'])}"
        for told in shown
    ]
    if len(shown) < len(run.questions):
        lines.append(f"{len(run.questions) - len(shown)} more questions are shown once these are answered.")


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
        more = f" and {len(busy) - _MOST_NAMES} more" if len(busy) > _MOST_NAMES else ""
        lines.append(f"Under way: {', '.join(busy[:_MOST_NAMES])}{more}.")
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
