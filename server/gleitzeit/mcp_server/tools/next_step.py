"""What to do next about a run, in words for a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gleitzeit.core.diagnostics import listed
from gleitzeit.core.models import Run
from gleitzeit.mcp_server.rendering.answer import compact

if TYPE_CHECKING:  # at run time the application brings it
    from gleitzeit.application import Undecided

_MOST_NAMES = 10


def workflow_next(run: Run, undecided: Undecided | None = None) -> str | None:
    """What to do about a workflow's run; nothing where it is completed."""
    if run.questions:
        return _answering(run)
    if run.error is not None and "resumed_by" in run.error.details:
        return f"it goes on as another run: inspect_run with {compact({'run_id': run.error.details['resumed_by']})}"
    unknown = undecided.unknown if undecided is not None else _unknown(run)
    if unknown:
        return _deciding(run, unknown)
    match run.status:
        case "completed":
            return None
        case "failed":
            return (
                f"mend what failed, then call resume_run with {compact({'run_id': run.id})} and the `changes`: "
                'finished results are kept; inspect_run with detail "tasks" shows every task'
            )
        case "cancelled":
            call = compact({"run_id": run.id})
            asked = _asked(undecided.cut_off if undecided is not None else ())
            return f"to go on with it, call resume_run with {call}: finished results are kept{asked}"
        case _:
            return _waiting(run)


def method_next(run: Run) -> str | None:
    """What to do about the run of one method."""
    if run.status == "completed":
        return None
    if run.questions:
        return _answering(run)
    if _unknown(run):
        return _deciding(run, _unknown(run))
    return None if run.over else _waiting(run)


def abandoned_next(run: Run, methods: Collection[str]) -> str:
    """What to do about a run that no living process carries out; `methods` are those that it needs."""
    named = ", ".join(sorted(methods)[:_MOST_NAMES])
    return (
        "no process carries this run out right now. A server that shares the database and serves its methods "
        f"({named}) takes it up by itself within seconds; resume_run with {compact({'run_id': run.id})} does it here"
    )


def _waiting(run: Run) -> str:
    call = compact({"run_id": run.id, "wait_seconds": 30})
    return f"call inspect_run with {call} to wait for it, or cancel_run to stop it"


def _answering(run: Run) -> str:
    question = next((question for question in run.questions if not question.person), None)
    if question is None:
        return (
            f"the run waits for a person: the user has to type `gleitzeit runs answer {run.id}` in a terminal of "
            "theirs; no tool can answer for them. Tell them so, then call inspect_run to wait for it"
        )
    call = {"run_id": run.id, "question_id": question.id, "answer": {"...": "..."}}
    return (
        "the run waits for an answer. Ask the user where only they can know it, then call answer_question with "
        f"{compact(call)}; decline: true refuses to answer"
    )


def _deciding(run: Run, unknown: Sequence[str]) -> str:
    decisions = dict.fromkeys(unknown[:_MOST_NAMES], "...")
    return (
        "find out whether each unknown task was carried out, then call resume_run with "
        f"{compact({'run_id': run.id, 'unknown': decisions})}: rerun does it once more, skip goes on without it, "
        "completed and failed say how it ended"
    )


def _asked(cut_off: Sequence[str]) -> str:
    return f"; it may ask what became of what was running: {listed(cut_off, _MOST_NAMES)}" if cut_off else ""


def _unknown(run: Run) -> list[str]:
    return [task.task_id for task in run.tasks.values() if task.status == "unknown"]
