"""Workflows under their names: each caller's own, run by hand and by other workflows."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import ConflictError, DocumentError, ValidationError, WorkflowNotFoundError
from gleitzeit.core.models import Run
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

SHOUT: dict[str, Any] = {
    "name": "shout",
    "inputs": {"word": "string"},
    "tasks": [{"id": "a", "method": "text/upper", "parameters": {"text": "${inputs.word}"}}],
}


def by_name(name: str, **inputs: Any) -> dict[str, Any]:
    return {"tasks": [{"id": "child", "method": "workflow/run", "parameters": {"name": name, "inputs": inputs}}]}


async def save(application: Application, document: Any = SHOUT, **fields: Any) -> int:
    return (await application.saved.save(await application.check(document), **fields)).version


async def finished(application: Application, run: Run) -> Run:
    with anyio.fail_after(5):
        return await application.engine.wait(run.id)


async def test_versions_count_changes(application: Application) -> None:
    assert await save(application) == 1
    assert await save(application) == 1
    other = {**SHOUT, "description": "loud"}
    with pytest.raises(ConflictError):
        await save(application, other)
    assert await save(application, other, overwrite=True) == 2
    found = await application.saved.get("shout")
    assert (found.version, found.workflow.description) == (2, "loud")
    assert found.created_at <= found.updated_at


async def test_only_what_could_run_is_saved_and_only_under_a_name(application: Application) -> None:
    with pytest.raises(DocumentError, match="text/upper"):
        await save(application, {"name": "x", "tasks": [{"id": "a", "method": "text/uper"}]})
    unnamed = {key: value for key, value in SHOUT.items() if key != "name"}
    for name in (None, "  "):
        with pytest.raises(ValidationError, match="needs a name"):
            await save(application, unnamed, name=name)
    with pytest.raises(ValidationError, match="129 characters"):
        await save(application, unnamed, name="x" * 129)
    for name in ("a\0b", "a\nb", "/a", "a/", "\u202ea"):
        with pytest.raises(ValidationError, match="can't be the name") as caught:
            await save(application, unnamed, name=name)
        assert "1 to 128 printable characters" in (caught.value.hint or "")
    assert await save(application, unnamed, name=" loud ") == 1
    assert [saved.name for saved in await application.saved.list()] == ["loud"]


async def test_what_is_not_there_is_named_with_the_nearest(application: Application) -> None:
    with pytest.raises(WorkflowNotFoundError) as caught:
        await application.saved.get("shout")
    assert caught.value.hint == "none is saved yet"
    await save(application)
    with pytest.raises(WorkflowNotFoundError) as caught:
        await application.saved.delete("shot")
    assert caught.value.hint == 'did you mean "shout"?'
    await application.saved.delete("shout")
    assert await application.saved.list() == []


async def test_a_task_runs_a_saved_workflow_by_its_name(application: Application) -> None:
    await save(application)
    run = await finished(application, await application.submit(by_name("shout", word="hi")))
    assert run.outputs == {"child": {"a": {"text": "HI"}}}
    missing = await finished(application, await application.submit(by_name("shot", word="hi")))
    assert missing.error is not None
    assert 'no saved workflow "shot"' in missing.error.message


async def test_callers_see_their_own_workflows_alone(application: Application) -> None:
    await save(application, caller="anna")
    assert await application.saved.list(caller="ben") == []
    with pytest.raises(WorkflowNotFoundError):
        await application.saved.get("shout", caller="ben")
    for caller, status in (("anna", "completed"), ("ben", "failed")):
        run = await finished(application, await application.submit(by_name("shout", word="hi"), caller=caller))
        assert run.status == status


async def test_two_applications_on_one_registry_keep_their_workflows_apart(
    application: Application, registry: ProtocolProviderRegistry
) -> None:
    config = load_configuration(None, {"GLEITZEIT_HOME": str(application.config.home)}, {"engine.database": "other.db"})
    await save(application)
    async with open_application(config, registry=registry) as second:
        await save(second, {**SHOUT, "tasks": [{**SHOUT["tasks"][0], "id": "b"}]})
        for each, name in ((application, "a"), (second, "b")):
            run = await finished(each, await each.submit(by_name("shout", word="hi")))
            assert run.outputs == {"child": {name: {"text": "HI"}}}


async def test_saved_workflows_and_runs_outlive_the_application(
    registry: ProtocolProviderRegistry, application: Application
) -> None:
    config = application.config
    await save(application)
    run = await finished(application, await application.submit(SHOUT, {"word": "hi"}, idempotency_key="k"))
    async with open_application(config, registry=registry, recover=False) as second:
        assert [saved.name for saved in await second.saved.list()] == ["shout"]
        assert (await second.engine.get(run.id)).outputs == run.outputs
        assert (await second.submit(SHOUT, {"word": "hi"}, idempotency_key="k")).id == run.id
        with pytest.raises(ConflictError):
            await second.submit(SHOUT, {"word": "ho"}, idempotency_key="k")
