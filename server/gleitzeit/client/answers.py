"""What the tools of a server answer, as the values that a program works with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gleitzeit.client.session import Validation
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError, GleitzeitError, LimitError, ProviderError
from gleitzeit.core.models import Event, Failure, Question, Run, TaskResult
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import RunList, RunSummary


def checked(tool: str, content: Any, is_error: bool, text: str) -> dict[str, Any]:
    """The data of an answer. Raises the error that it reports; a run that failed is no error of the tool."""
    if not isinstance(content, dict):
        raise ProviderError(f"{tool} answered without data: {text[:500]}", hint="is it a Gleitzeit server?")
    answer: dict[str, Any] = {str(key): value for key, value in content.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - JSON
    if is_error and "run_id" not in answer:
        raise _error(answer.get("error") or {"code": "error", "message": text})
    return answer


def run_of(summary: Mapping[str, Any], details: Mapping[str, Any]) -> Run:
    """A run from two answers of `inspect_run`; what was too large to be sent is a `LimitError`, never left out."""
    if "preview" in summary:
        raise _too_large(summary, "its outputs")
    if "inputs" not in details:
        raise _too_large(summary, "its inputs")
    results = {task["task_id"]: _task(task, summary) for task in details["tasks"]}
    if len(results) < sum(summary["counts"].values()):
        raise _too_large(summary, "its tasks")
    return Run(
        id=summary["run_id"],
        name=summary["name"],
        status=summary["status"],
        inputs=details["inputs"],
        tasks=results,
        outputs=summary.get("outputs", {}),
        error=_failure(summary.get("error")),
        created_at=_moment(details["created_at"]),
        finished_at=_moment(details["finished_at"]) if "finished_at" in details else None,
        resumed_from=summary.get("resumed_from"),
        questions=tuple(Question.from_dict(question) for question in summary.get("questions", ())),
    )


def run_list_of(answer: Mapping[str, Any]) -> RunList:
    """A page of runs."""
    return RunList([_summary(run) for run in answer["runs"]], answer.get("cursor"))


def events_of(answer: Mapping[str, Any]) -> Iterator[Event]:
    """The events in an answer, in order."""
    for event in answer.get("events", ()):
        yield Event(
            event["run_id"], event["seq"], event["kind"], event["at"], event.get("task_id"), event.get("data", {})
        )


def validation_of(answer: Mapping[str, Any]) -> Validation:
    """What is wrong with a document, or its plan."""
    diagnostics = tuple(Diagnostic(**diagnostic) for diagnostic in answer.get("diagnostics", ()))
    waves = tuple(tuple(task["task_id"] for task in wave) for wave in answer.get("plan", ()))
    return Validation(bool(answer["valid"]), diagnostics, waves)


def methods_of(answer: Mapping[str, Any]) -> list[MethodSpec]:
    """The methods in an answer, as far as it describes them."""
    return [
        MethodSpec(
            name=method["method"],
            description=method.get("description", ""),
            parameters=method.get("parameters", {}),
            returns=method.get("returns"),
            read_only=method.get("read_only", False),
            capabilities=tuple(method.get("capabilities", ())),
        )
        for method in answer.get("methods", ())
    ]


def _too_large(summary: Mapping[str, Any], what: str) -> LimitError:
    return LimitError(
        f"run {summary['run_id']} is {summary['status']}, but {what} are too large to be sent",
        hint="raise limits.result_tokens of the server, or give the workflow less to hand over",
    )


def _task(task: Mapping[str, Any], summary: Mapping[str, Any]) -> TaskResult:
    if "result_start" in task:
        raise _too_large(summary, f"the {task['result_size']} bytes of task {task['task_id']}")
    started = _moment(task["started_at"]) if "started_at" in task else None
    return TaskResult(
        task_id=task["task_id"],
        status=task["status"],
        result=task.get("result"),
        error=_failure(task.get("error")),
        attempts=task["attempts"],
        started_at=started,
        finished_at=started + task["seconds"] if started is not None and "seconds" in task else None,
        metadata={"kept_from": task["kept_from"]} if "kept_from" in task else {},
        not_before=_moment(task["next_attempt_at"]) if "next_attempt_at" in task else None,
    )


def _failure(error: Mapping[str, Any] | None) -> Failure | None:
    if not error:
        return None
    return Failure(
        code=error.get("code", "error"),
        message=error.get("message", ""),
        hint=error.get("hint"),
        retryable=error.get("retryable", False),
        ambiguous=error.get("ambiguous", False),
        details=error.get("details", {}),
    )


def _summary(run: Mapping[str, Any]) -> RunSummary:
    finished = run.get("finished_at")
    return RunSummary(
        run["run_id"],
        run["name"],
        run["status"],
        _moment(run["created_at"]),
        _moment(finished) if finished is not None else None,
        run.get("error"),
    )


def _moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _error(error: Mapping[str, Any]) -> GleitzeitError:
    if "diagnostics" in error:  # they say more than the line above them
        return Failure(DocumentError.code, "", details={"diagnostics": error["diagnostics"]}).to_error()
    return Failure(
        error.get("code", "error"),
        error.get("message", ""),
        hint=error.get("hint"),
        retryable=error.get("retryable", False),
        details=error.get("details", {}),
    ).to_error()
