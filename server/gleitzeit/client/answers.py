"""What the tools of a server answer, as the values that a program works with."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from gleitzeit.client.session import Validation
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError, GleitzeitError, LimitError, ProviderError
from gleitzeit.core.models import Event, Failure, Run, TaskResult
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


def run_of(summary: Mapping[str, Any], tasks: Mapping[str, Any]) -> Run:
    """A run from two answers of `inspect_run`; what was too large to be shown is a `LimitError`."""
    outputs = summary.get("outputs", {})
    if "preview" in summary:
        raise LimitError(
            f"the outputs of run {summary['run_id']} are too large to be sent",
            hint="raise limits.result_tokens of the server, or give the workflow smaller outputs",
        )
    results = {task["task_id"]: _task(task, outputs) for task in tasks.get("tasks", ())}
    return Run(
        id=summary["run_id"],
        name=summary.get("name", ""),
        status=summary["status"],
        inputs={},
        tasks=results,
        outputs=outputs,
        error=_failure(summary.get("error")),
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
        )
        for method in answer.get("methods", ())
    ]


def _task(task: Mapping[str, Any], outputs: Mapping[str, Any]) -> TaskResult:
    known = ("task_id", "status", "attempts", "error")
    return TaskResult(
        task_id=task["task_id"],
        status=task["status"],
        result=_result(task, outputs),
        error=_failure(task.get("error")),
        attempts=task.get("attempts", 0),
        metadata={key: value for key, value in task.items() if key not in known},
    )


def _result(task: Mapping[str, Any], outputs: Mapping[str, Any]) -> Any:
    start = task.get("result_start")
    if start is not None and len(start.encode()) == task.get("result_size"):
        return json.loads(start)
    return outputs.get(task["task_id"])


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
    if "diagnostics" in error:
        return DocumentError([Diagnostic(**diagnostic) for diagnostic in error["diagnostics"]])
    kind = _kinds().get(error.get("code", ""), GleitzeitError)
    return kind(
        error.get("message", ""), hint=error.get("hint"), code=error.get("code"), retryable=error.get("retryable")
    )


def _kinds() -> dict[str, type[GleitzeitError]]:
    kinds: dict[str, type[GleitzeitError]] = {}
    waiting: list[type[GleitzeitError]] = [GleitzeitError]
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind is not DocumentError:
            kinds.setdefault(kind.code, kind)
    return kinds
