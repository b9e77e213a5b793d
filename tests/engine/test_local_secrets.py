"""Secrets reach providers and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ProviderError
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio

SECRET = 'p"ss\nword'
TASK = {"id": "a", "method": "test/use", "parameters": {"key": "${secrets.KEY}", "text": "Bearer ${secrets.KEY}!"}}


@pytest.fixture
async def guarded(bench: Any) -> Any:
    await bench.start(secrets={"KEY": SECRET, "OTHER": "unused"})
    return bench


async def everything(bench: Any, run: Any) -> str:
    """All that can be read of a run afterwards, as text."""
    events = [event.to_dict() for event in await bench.events(run.id)]
    return f"{run.to_dict()} {events}"


async def test_a_secret_reaches_the_provider_and_is_blacked_out_of_all_that_is_kept(guarded: Any) -> None:
    seen: list[Any] = []

    async def use(parameters: dict[str, Any]) -> Any:
        seen.append(parameters)
        task = current_task()
        task.record(header=parameters["text"])
        await task.report_progress(1, 2, f"using {parameters['key']}")
        return {"echo": parameters["text"], parameters["key"]: 1, "json": '{"k": "p\\"ss\\nword"}', "other": "unused"}

    guarded.method(use)
    run = await guarded.run([TASK, {"id": "b", "method": "test/echo", "parameters": {"got": "${a.echo}"}}])
    assert seen == [{"key": SECRET, "text": f"Bearer {SECRET}!"}]
    assert run.tasks["a"].result == {"echo": "Bearer ***!", "***": 1, "json": '{"k": "***"}', "other": "unused"}
    assert run.tasks["b"].result == {"got": "Bearer ***!"}
    told = await everything(guarded, run)
    assert "ss\\nword" not in told
    assert "using ***" in told


async def test_a_secret_is_blacked_out_of_errors(guarded: Any) -> None:
    async def use(parameters: dict[str, Any]) -> Any:
        raise ProviderError(f"bad key {parameters['key']}", hint=f"not {parameters['key']}", details={"k": [SECRET]})

    guarded.method(use)
    run = await guarded.run([{**TASK, "retry": {"max_attempts": 2}}])
    assert run.tasks["a"].error.message == "bad key ***"
    assert "ss\\nword" not in await everything(guarded, run)


async def test_no_part_of_a_secret_stays_where_words_are_cut(guarded: Any) -> None:
    async def use(parameters: dict[str, Any]) -> Any:
        task = current_task()
        await task.report_progress(1, 2, "x" * 997 + SECRET)
        task.record(text="y" * 985 + "KEYSECRET", loop={1: 1, "1": 1})
        raise RuntimeError("z" * 3980 + SECRET)

    guarded.method(use)
    await guarded.start(secrets={"KEY": SECRET, "PLAIN": "KEYSECRET"})
    run = await guarded.run([{**TASK, "parameters": {"key": "${secrets.KEY}", "plain": "${secrets.PLAIN}"}}])
    told = await everything(guarded, run)
    for words in ("x" * 997, "y" * 985, "z" * 3980):
        assert f"{words}***" in told
    assert 'p"s' not in told
    assert "KEYS" not in told


async def test_an_unknown_secret_fails_its_task(guarded: Any) -> None:
    run = await guarded.run([{"id": "a", "method": "test/echo", "parameters": {"key": "${secrets.NONE}"}}])
    assert run.tasks["a"].status == "failed"
    assert "NONE" in run.tasks["a"].error.message


async def test_a_secret_that_is_passed_to_a_nested_call_arrives_and_is_not_stored(guarded: Any) -> None:
    seen: list[Any] = []

    async def inner(parameters: dict[str, Any]) -> Any:
        seen.append(parameters["auth"])

    async def use(parameters: dict[str, Any]) -> Any:
        return await current_task().call("test/inner", {"auth": parameters["text"]})

    guarded.method(inner)
    guarded.method(use)
    run = await guarded.run([{**TASK, "calls": ["test/inner"]}])
    assert (run.status, seen) == ("completed", [f"Bearer {SECRET}!"])
    snapshot = await guarded.store.load(run.id)
    assert snapshot is not None
    assert snapshot.tasks["a/1"].metadata["parameters"] == '{"auth":"Bearer ${secrets.KEY}!"}'


async def test_a_secret_cannot_become_an_input_of_another_workflow(guarded: Any) -> None:
    register_workflows(guarded.registry)
    task = {"id": "a", "method": "workflow/run", "parameters": {"name": "x", "inputs": {"key": "${secrets.KEY}"}}}
    run = await guarded.run([task])
    assert run.tasks["a"].error.code == "forbidden"


async def test_outputs_show_no_secret(guarded: Any) -> None:
    run = await guarded.run({"tasks": [{"id": "a", "method": "test/echo"}], "outputs": {"key": "${secrets.KEY}"}})
    assert run.outputs == {"key": "***"}


async def test_a_secret_that_comes_back_from_another_task_is_blacked_out_too(guarded: Any) -> None:
    async def hide(parameters: dict[str, Any]) -> Any:
        return {"hidden": parameters["key"][::-1]}

    async def show(parameters: dict[str, Any]) -> Any:
        await current_task().report_progress(1, 1, parameters["hidden"][::-1])
        return {"shown": parameters["hidden"][::-1]}

    guarded.method(hide)
    guarded.method(show)
    register_workflows(guarded.registry)
    inner = {
        "inputs": {"hidden": {"type": "string"}},
        "tasks": [{"id": "c", "method": "test/show", "parameters": {"hidden": "${inputs.hidden}"}}],
    }
    tasks = [
        {"id": "a", "method": "test/hide", "parameters": {"key": "${secrets.KEY}"}},
        {"id": "b", "method": "test/show", "parameters": {"hidden": "${a.hidden}"}},
        {
            "id": "sub",
            "method": "workflow/run",
            "parameters": {"workflow": inner, "inputs": {"hidden": "${a.hidden}"}},
        },
    ]
    run = await guarded.run(tasks)
    assert (run.tasks["b"].result, run.tasks["sub"].result) == ({"shown": "***"}, {"c": {"shown": "***"}})
    (child,) = (await guarded.store.runs(parent_id=run.id)).runs
    for told in (run, await guarded.engine.get(child.id)):
        assert "ss\\nword" not in await everything(guarded, told)


async def test_a_secret_is_not_logged_with_the_traceback(guarded: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def use(parameters: dict[str, Any]) -> Any:
        raise KeyError(parameters["key"]) from ValueError(parameters["key"])

    guarded.method(use)
    run = await guarded.run([TASK])
    assert run.tasks["a"].error.code == "provider_crashed"
    assert "Traceback" in caplog.text
    assert "ValueError: ***" in caplog.text
    for told in (caplog.text, await everything(guarded, run)):
        assert 'p"ss' not in told
        assert "ss\\nword" not in told
