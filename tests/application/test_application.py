"""One way in for every face: check, submit, call."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.errors import (
    ConfigurationError,
    DocumentError,
    ForbiddenError,
    MethodNotFoundError,
    ValidationError,
)
from gleitzeit.core.models import Run
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio

CHAIN = """
inputs: {word: string}
tasks:
  - {id: one, method: text/upper, parameters: {text: "${inputs.word}"}}
  - {id: two, method: text/echo, parameters: {text: "${one.text}!"}}
""".replace("text/echo", "text/upper")


async def finished(application: Application, run: Run) -> Run:
    with anyio.fail_after(5):
        return await application.engine.wait(run.id)


async def test_a_document_runs(application: Application) -> None:
    run = await finished(application, await application.submit(CHAIN, {"word": "hi"}, name="shout"))
    assert (run.status, run.name) == ("completed", "shout")
    assert run.outputs == {"two": {"text": "HI!"}}


async def test_checking_shows_the_plan(application: Application) -> None:
    checked = await application.check(CHAIN)
    assert checked.valid
    assert checked.waves == (("one",), ("two",))
    assert checked.methods == {"text/upper": "text"}
    assert checked.require().tasks[0].id == "one"


async def test_inputs_are_checked_where_they_are_given(application: Application) -> None:
    assert (await application.check(CHAIN, {"word": "x"})).inputs == {"word": "x"}
    checked = await application.check(CHAIN, {"word": 3})
    assert not checked.valid
    assert checked.diagnostics[0].path == "inputs"
    with pytest.raises(ValidationError, match="word"):
        await application.submit(CHAIN, {"word": 3})
    with pytest.raises(ValidationError, match="word"):
        await application.submit(CHAIN)


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("tasks: [{id: a, method: text/uper}]", "text/upper"),
        ("tasks: [{id: a, method: shell/execute}]", "no provider serves shell/*"),
        ("tasks: [{id: a, method: text/upper, parameters: {text: 3}}]", "text"),
        ("tasks: [{id: a, method: text/upper, wen: x}]", "when"),
        ("tasks: [{id: a, method: mcp/servers}]", "policy.deny"),
        ("tasks: [", "line"),
        (b"\x00\x01", ""),
    ],
)
async def test_a_bad_document_is_refused_with_a_hint(
    application: Application, document: str | bytes, words: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        await application.submit(document)
    assert words in str(caught.value)
    assert not (await application.check(document)).valid


async def test_a_large_document_is_read_too(application: Application) -> None:
    tasks = [{"id": f"t{number}", "method": "text/upper", "parameters": {"text": "x" * 600}} for number in range(600)]
    document = "tasks:\n" + "\n".join(f"- {task}" for task in tasks)
    assert len(document) > 300_000
    assert len((await application.check(document)).waves[0]) == 600


@pytest.mark.parametrize(
    "parameters",
    [
        {"text": "${not.a.reference} $${nor} ${{ this }} $ {x}"},
        {"deep": [{"text": "${a}"}, ["$${b}"]], "number": 1.5, "none": None},
        {},
        {"program": "print('${x} $${y}')", "text": "${x}"},
    ],
)
async def test_parameters_of_a_call_are_data(application: Application, parameters: Mapping[str, Any]) -> None:
    run = await finished(application, await application.call("text/run", parameters))
    assert list(run.tasks) == ["call"]
    assert run.tasks["call"].result == dict(parameters)


async def test_code_that_calls_and_was_called_by_itself_is_shown_the_way(application: Application) -> None:
    parameters = {"method": "text/upper", "parameters": {"text": "hi"}}
    run = await finished(application, await application.call("text/call", parameters))
    error = run.tasks["call"].error
    assert error is not None
    assert "may not call text/upper" in error.message
    assert error.hint == 'call_method allows no calls: submit a workflow with a task whose `calls` name "text/upper"'


async def test_a_bad_call_makes_no_run(application: Application) -> None:
    with pytest.raises(MethodNotFoundError, match="text/uper"):
        await application.call("text/uper")
    with pytest.raises(ValidationError, match="text"):
        await application.call("text/upper", {"text": 3})
    with pytest.raises(ForbiddenError, match=r"policy\.deny"):
        await application.call("mcp/servers")
    assert (await application.engine.list()).runs == []


async def test_a_call_may_have_a_limit(registry: ProtocolProviderRegistry, application: Application) -> None:
    run = await application.call("text/upper", {"text": "x"}, timeout=3)
    assert (await application.engine.document(run.id)).tasks[0].timeout == 3
    await finished(application, run)


async def test_the_policy_holds_for_nested_calls_too(application: Application) -> None:
    task: dict[str, Any] = {
        "id": "a",
        "method": "text/call",
        "parameters": {"method": "mcp/servers", "parameters": {}},
        "calls": ["mcp/*"],
    }
    run = await finished(application, await application.submit({"tasks": [task]}))
    assert run.status == "failed"
    assert "policy.deny" in str(run.tasks["a"].error)


async def test_a_workflow_runs_a_workflow(application: Application) -> None:
    inner = {"inputs": {"word": "string"}, "tasks": [{"id": "i", "method": "text/upper", "parameters": {"text": "a"}}]}
    task = {"id": "a", "method": "workflow/run", "parameters": {"workflow": inner, "inputs": {"word": "x"}}}
    run = await finished(application, await application.submit({"tasks": [task]}))
    assert run.tasks["a"].result == {"i": {"text": "A"}}


async def test_two_applications_share_a_registry(
    application: Application, registry: ProtocolProviderRegistry, home: Path
) -> None:
    inner = {"tasks": [{"id": "i", "method": "text/upper", "parameters": {"text": "a"}}]}
    task = {"id": "a", "method": "workflow/run", "parameters": {"workflow": inner}}
    config = load_configuration(None, {"GLEITZEIT_HOME": str(home)})
    async with open_application(config, registry=registry) as second:
        for each in (application, second):
            run = await finished(each, await each.submit({"tasks": [task]}))
            assert run.status == "completed"
        assert len((await second.engine.list()).runs) == 2, "they share the database too"
    run = await finished(application, await application.submit({"tasks": [task]}))
    assert run.status == "completed"


async def test_tasks_get_the_roots(application: Application, home: Path, tmp_path: Path) -> None:
    run = await application.call("text/roots", roots=[tmp_path])
    result = (await finished(application, run)).tasks["call"].result
    assert result == {"roots": [str(tmp_path), str(home / "files")]}
    assert (home / "files").is_dir()


async def test_a_folder_that_cannot_be_made_is_told(registry: ProtocolProviderRegistry, tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    config = load_configuration(None, {"GLEITZEIT_HOME": str(tmp_path / "home")})
    with pytest.raises(ConfigurationError, match="can't be created"):
        await open_application(config, registry=registry).__aenter__()


async def test_leaving_cancels_what_runs_and_lets_errors_through(
    registry: ProtocolProviderRegistry, home: Path
) -> None:
    config = load_configuration(None, {"GLEITZEIT_HOME": str(home)})

    async def break_down() -> None:
        async with open_application(config, registry=registry) as application:
            await application.submit(CHAIN, {"word": "x"})
            raise ZeroDivisionError

    with anyio.fail_after(5), pytest.raises(ZeroDivisionError):
        await break_down()


async def test_what_was_checked_is_not_checked_again(application: Application) -> None:
    checked = await application.check(CHAIN, {"word": "hi"}, name="shout")
    run = await finished(application, await application.submit(checked))
    assert (run.status, run.name, run.inputs) == ("completed", "shout", {"word": "hi"})
    with pytest.raises(DocumentError, match="text/upper"):
        await application.submit(await application.check("tasks: [{id: a, method: text/uper}]"))


async def test_the_plan_has_each_task_with_its_provider_and_conditions(application: Application) -> None:
    task = {"id": "a", "method": "text/upper", "foreach": ["x"], "when": "1 < 2", "parameters": {"text": "${item}"}}
    assert (await application.check({"tasks": [task]})).plan == [
        [{"task_id": "a", "method": "text/upper", "provider": "text", "foreach": ["x"], "when": "1 < 2"}]
    ]
    assert (await application.check("tasks: []")).plan == []


async def test_what_may_not_be_used_is_not_shown(registry: ProtocolProviderRegistry, home: Path) -> None:
    config = load_configuration(None, {"GLEITZEIT_HOME": str(home)}, {"policy.deny": ["text/r*", "mcp/servers"]})
    async with open_application(config, registry=registry) as application:
        names = {spec.name for spec in await application.methods()}
        assert names >= {"text/upper", "text/call", "workflow/run"}
        assert names.isdisjoint({"text/run", "text/roots", "mcp/servers"})
        assert await application.servers() == []
        with pytest.raises(ForbiddenError, match=r"policy\.deny"):
            await application.describe("text/run")


async def test_a_heavy_document_leaves_the_event_loop_alone(application: Application) -> None:
    parameters = {"text": "x", "deep": [{"a": [number] * 5} for number in range(4_000)]}
    document = {"tasks": [{"id": f"t{number}", "method": "text/run", "parameters": parameters} for number in range(10)]}
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            group.start_soon(count)
            assert (await application.check(document)).valid
            group.cancel_scope.cancel()
    assert turns > 100


class Guarded(ProtocolProvider):
    """Lets people log in to servers."""

    def __init__(self) -> None:
        super().__init__("guarded", "guarded/v1")
        self.logged_in: list[str] = []

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        await current_task().report_progress(1, 2)
        await current_task().report_progress(message="open the page")
        self.logged_in.append(parameters["server"])
        return {}


async def test_whoever_logs_in_is_told_what_to_do(registry: ProtocolProviderRegistry, home: Path) -> None:
    guarded = Guarded()
    registry.register_provider("guarded/v1", guarded)
    registry.register_method_handler("mcp/login", guarded)
    told: list[str] = []
    async with open_application(load_configuration(None, {"GLEITZEIT_HOME": str(home)}), registry=registry) as opened:
        await opened.log_in("far", told.append)
    assert (guarded.logged_in, told) == (["far"], ["open the page"])


async def test_the_policy_holds_for_logging_in_too(registry: ProtocolProviderRegistry, home: Path) -> None:
    guarded = Guarded()
    registry.register_provider("guarded/v1", guarded)
    registry.register_method_handler("mcp/login", guarded)
    config = load_configuration(None, {"GLEITZEIT_HOME": str(home)}, {"policy.deny": ["mcp/login"]})
    async with open_application(config, registry=registry) as opened:
        with pytest.raises(ForbiddenError, match=r"policy\.deny"):
            await opened.log_in("far", pytest.fail)
    assert guarded.logged_in == []
