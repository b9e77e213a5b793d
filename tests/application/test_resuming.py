"""Runs are taken up again with another document, other inputs and decisions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import pytest

from gleitzeit.application import Application
from gleitzeit.application.changes import carried_inputs, changed_document
from gleitzeit.core.document import read
from gleitzeit.core.errors import ConflictError, DocumentError, RunNotFoundError, ValidationError
from gleitzeit.core.models import Run, Workflow

pytestmark = pytest.mark.anyio

WORKFLOW = {
    "name": "shout",
    "inputs": {
        "word": "string",
        "again": {"type": "string", "default": "x"},
        "more": {"type": "string", "required": False},
    },
    "tasks": [
        {"id": "one", "method": "text/upper", "parameters": {"text": "${inputs.word}"}},
        {"id": "two", "method": "text/upper", "parameters": {"text": "${one.text} ${inputs.again}"}},
        {"id": "three", "method": "text/upper", "parameters": {"text": "${two.txt}"}},
    ],
}
MENDED = {"three": {"parameters": {"text": "${two.text}"}}}


async def finished(application: Application, run: Run) -> Run:
    with anyio.fail_after(5):
        return await application.engine.wait(run.id)


@pytest.fixture
async def failed(application: Application) -> Run:
    run = await finished(application, await application.submit(WORKFLOW, {"word": "hi"}))
    assert run.status == "failed"
    return run


def kept(run: Run) -> list[str]:
    return [task.task_id for task in run.tasks.values() if "kept_from" in task.metadata]


async def test_a_changed_task_runs_and_finished_ones_are_kept(application: Application, failed: Run) -> None:
    run = await finished(application, await application.resume(failed.id, changes=MENDED))
    assert (run.status, run.resumed_from, run.name) == ("completed", failed.id, "shout")
    assert run.outputs == {"three": {"text": "HI X"}}
    assert kept(run) == ["one", "two"]


async def test_inputs_that_are_not_given_stay_as_they_were(application: Application, failed: Run) -> None:
    run = await application.resume(failed.id, changes=MENDED, inputs={"again": "more"})
    run = await finished(application, run)
    assert run.outputs == {"three": {"text": "HI MORE"}}
    assert run.inputs == {"word": "hi", "again": "more", "more": None}
    assert kept(run) == ["one"]


async def test_a_whole_document_takes_the_place_of_the_old_one(application: Application, failed: Run) -> None:
    document = {"tasks": WORKFLOW["tasks"][:1]}  # type: ignore[index] # it is a list
    with pytest.raises(DocumentError, match="word"):
        await application.resume(failed.id, workflow=document)
    inputs = {"word": {"type": "string"}}
    run = await finished(application, await application.resume(failed.id, workflow={**document, "inputs": inputs}))
    assert (run.status, run.name, dict(run.inputs)) == ("completed", "shout", {"word": "hi"})
    assert kept(run) == ["one"]


async def test_from_a_task_on_everything_runs_again(application: Application, failed: Run) -> None:
    run = await application.resume(failed.id, changes=MENDED, from_task="one")
    assert kept(await finished(application, run)) == []


async def test_what_does_not_fit_is_refused_before_anything_runs(application: Application, failed: Run) -> None:
    cases: list[tuple[Mapping[str, Any], type[Exception], str]] = [
        ({"changes": {"thre": {}}}, ValidationError, 'no task "thre"'),
        ({"changes": {"three": "x"}}, ValidationError, "changes.three"),
        ({"changes": {"three": {"methd": "x"}}}, DocumentError, "methd"),
        ({"changes": MENDED, "workflow": WORKFLOW}, ValidationError, "exclude each other"),
        ({"inputs": {"word": 3}}, ValidationError, "word"),
        ({"inputs": {"wrd": "x"}}, ValidationError, "wrd"),
        ({"from_task": "ones"}, ValidationError, 'no task "ones"'),
        ({"unknown": {"one": "rerun"}}, ValidationError, "one is completed"),
        ({"caller": "another"}, RunNotFoundError, failed.id),
    ]
    for given, error, words in cases:
        with pytest.raises(error, match=words):
            await application.resume(failed.id, **given)
    assert len((await application.engine.list()).runs) == 1


async def test_a_completed_run_is_resumed_only_with_something_to_do(application: Application, failed: Run) -> None:
    run = await finished(application, await application.resume(failed.id, changes=MENDED))
    with pytest.raises(ConflictError, match="nothing is left to do"):
        await application.resume(run.id, inputs={"word": "hi"})
    again = await finished(application, await application.resume(run.id, from_task="three"))
    assert kept(again) == ["one", "two"]


def test_changes_are_merged_into_tasks_and_null_removes() -> None:
    workflow = Workflow.model_validate(
        {"tasks": [{"id": "a", "method": "x/y", "timeout": 5, "parameters": {"p": {"q": 1, "r": 2}, "s": 3}}]}
    )
    changes = {"a": {"timeout": None, "parameters": {"p": {"q": None, "t": 4}}, "retry": {"max_attempts": 2}}}
    (task,) = changed_document(workflow, changes)["tasks"]
    assert task == {
        "id": "a",
        "method": "x/y",
        "parameters": {"p": {"r": 2, "t": 4}, "s": 3},
        "retry": {"max_attempts": 2},
    }
    assert workflow.tasks[0].timeout == 5


def test_changes_are_read_in_the_spellings_of_a_document() -> None:
    steps = {"steps": {"a": {"uses": "x/y", "with": {"p": 1, "q": 2}, "timeout": "30s", "retries": 2}}}
    workflow = read(steps).require()
    changes = {
        "with": {"p": 3, "q": None},
        "timeout_seconds": None,
        "retry": {"attempts": None, "wait": "2s"},
        "if": "true",
    }
    (task,) = changed_document(workflow, {"a": changes})["tasks"]
    assert task == {"id": "a", "method": "x/y", "parameters": {"p": 3}, "retry": {"delay": 2}, "when": "true"}
    (bare,) = changed_document(workflow, {"a": {"args": None, "max_attempts": None}})["tasks"]
    assert bare == {"id": "a", "method": "x/y", "timeout": 30, "retry": {}}
    with pytest.raises(DocumentError) as caught:
        changed_document(workflow, {"a": {"with": {}, "args": {}, "methd": "x/z"}})
    assert [(found.path, found.code) for found in caught.value.diagnostics] == [
        ("changes.a.parameters", "duplicate_key"),
        ("changes.a.methd", "unknown_key"),
    ]


def test_inputs_that_are_not_declared_any_more_are_left_behind() -> None:
    inputs = {"a": {"type": "string"}, "b": {"type": ["string", "null"]}, "c": {"type": "string", "required": False}}
    workflow = Workflow.model_validate({"inputs": inputs, "tasks": [{"id": "t", "method": "x/y"}]})
    earlier = {"a": "1", "b": None, "c": None, "gone": 2}
    assert carried_inputs(workflow, earlier, {"a": "3"}) == {"a": "3", "b": None}
