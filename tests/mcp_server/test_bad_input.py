from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

Factory = Callable[[], AbstractAsyncContextManager[Application]]


@asynccontextmanager
async def client_of(factory: Factory) -> AsyncGenerator[Client]:
    with anyio.fail_after(10):
        async with open_face(factory) as face, Client(build_server(face), mode="legacy", cache=None) as client:
            yield client
            after = await client.call_tool("query_method", {"method": "probe/echo", "parameters": {"text": "on"}})
            assert not after.is_error, "the server goes on"


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


def diagnostics_of(result: types.CallToolResult) -> list[dict[str, Any]]:
    data: Any = result.structured_content
    found: list[dict[str, Any]] = data["error"]["diagnostics"]
    return found


ECHO = "method: probe/echo, parameters: {text: hi}"

DOCUMENTS = {
    "unknown key": ("tasks:\n  - {id: a, metod: probe/echo}\n", 2, '"method"'),
    "unknown method": ("tasks:\n  - {id: a, method: probe/ecco, parameters: {text: x}}\n", 2, "probe/echo"),
    "cycle": (
        f"tasks:\n  - {{id: a, {ECHO}, dependencies: [b]}}\n  - {{id: b, {ECHO}, dependencies: [a]}}\n",
        2,
        "a -> b",
    ),
    "unknown dependency": (f"tasks:\n  - {{id: first, {ECHO}}}\n  - {{id: b, {ECHO}, needs: [frist]}}\n", 3, "first"),
    "duplicate id": (f"tasks:\n  - {{id: a, {ECHO}}}\n  - {{id: a, {ECHO}}}\n", 3, '"a"'),
    "missing task": ('tasks:\n  - {id: a, method: probe/echo, parameters: {text: "${bb.text}"}}\n', 2, "bb"),
    "missing input": ('tasks:\n  - {id: a, method: probe/echo, parameters: {text: "${inputs.city}"}}\n', 2, "city"),
    "wrong type": ("tasks:\n  - {id: a, method: probe/echo, parameters: {text: 5}}\n", 2, "text"),
    "missing parameter": ("tasks:\n  - {id: a, method: probe/echo, parameters: {}}\n", 2, "text"),
    "syntax": ("tasks:\n  - {id: a, method: [probe/echo}\n", 2, ""),
    "duplicate key": ("tasks:\n  - id: a\n    id: b\n    method: probe/items\n", 3, "id"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_document_error_has_its_place_and_how_to_mend_it(name: str, factory: Factory) -> None:
    document, line, word = DOCUMENTS[name]
    async with client_of(factory) as client:
        submitted = await client.call_tool("submit_workflow", {"workflow": document})
        checked = await client.call_tool("validate_workflow", {"workflow": document})
        runs = await client.call_tool("list_runs", {})
    assert submitted.is_error
    told = diagnostics_of(submitted)
    assert [diagnostic for diagnostic in told if diagnostic.get("line") == line], told
    assert f"line {line}" in text_of(submitted)
    assert word in text_of(submitted)
    assert not checked.is_error
    assert checked.structured_content["valid"] is False
    assert runs.structured_content["runs"] == []


async def test_all_problems_are_told_at_once(factory: Factory) -> None:
    document = "tasks:\n  - {id: a, method: probe/ecco}\n  - {id: a, method: probe/echo, parameters: {txt: hi}}\n"
    async with client_of(factory) as client:
        submitted = await client.call_tool("submit_workflow", {"workflow": document})
    assert len(diagnostics_of(submitted)) >= 3


async def test_a_document_may_be_an_object_and_its_errors_have_paths(factory: Factory) -> None:
    document = {"tasks": [{"id": "a", "method": "probe/echo", "parameters": {"text": 5}}]}
    async with client_of(factory) as client:
        submitted = await client.call_tool("submit_workflow", {"workflow": document})
    assert diagnostics_of(submitted)[0]["path"] == "tasks[0].parameters.text"


@pytest.mark.parametrize("document", ["\x00\x01\x02binary", "just a sentence", "", "- 1\n- 2\n"])
async def test_what_is_no_document_is_refused(document: str, factory: Factory) -> None:
    async with client_of(factory) as client:
        submitted = await client.call_tool("submit_workflow", {"workflow": document})
    assert submitted.is_error
    assert diagnostics_of(submitted)


async def test_a_document_that_is_too_large_is_refused_and_a_large_one_is_run(factory: Factory) -> None:
    tasks = "".join(f"  - {{id: t{number}, method: probe/echo, parameters: {{text: hi}}}}\n" for number in range(300))
    async with client_of(factory) as client:
        refused = await client.call_tool("submit_workflow", {"workflow": "# " + "x" * (17 << 20) + "\n"})
        run = await client.call_tool("submit_workflow", {"workflow": f"tasks:\n{tasks}", "wait_seconds": 8})
    assert refused.is_error
    assert "16" in text_of(refused)
    assert run.structured_content["status"] == "completed", text_of(run)


async def test_files_are_taken_from_the_roots_and_from_nowhere_else(factory: Factory, home: Path) -> None:
    (home / "files" / "tides.yaml").write_text(f"tasks:\n  - {{id: a, {ECHO}}}\n", encoding="utf-8")
    async with client_of(factory) as client:
        run = await client.call_tool("submit_workflow", {"path": "tides.yaml"})
        listed = await client.call_tool("list_runs", {})
        missing = await client.call_tool("submit_workflow", {"path": "tide.yaml"})
        outside = await client.call_tool("submit_workflow", {"path": "../config.yaml"})
        absolute = await client.call_tool("validate_workflow", {"path": "/etc/passwd"})
    assert run.structured_content["outputs"] == {"a": {"text": "hi"}}
    assert listed.structured_content["runs"][0]["name"] == "tides"
    assert "tides.yaml" in text_of(missing)
    for refused in (outside, absolute):
        assert refused.is_error
        assert "files.roots" in text_of(refused)


async def test_inputs_of_the_wrong_type_are_named(factory: Factory) -> None:
    document = {
        "inputs": {"count": {"type": "integer"}},
        "tasks": [{"id": "a", "method": "probe/items", "parameters": {"n": "${inputs.count}"}}],
    }
    async with client_of(factory) as client:
        wrong = await client.call_tool("submit_workflow", {"workflow": document, "inputs": {"count": "many"}})
        missing = await client.call_tool("submit_workflow", {"workflow": document})
        unknown = await client.call_tool("submit_workflow", {"workflow": document, "inputs": {"cuont": 1}})
    for refused in (wrong, missing, unknown):
        assert refused.is_error
        assert "count" in text_of(refused)


ARGUMENTS: list[tuple[str, dict[str, Any], str]] = [
    ("submit_workflow", {}, "none of them was given"),
    ("submit_workflow", {"workflow": "x", "path": "y"}, "workflow and path were given"),
    ("submit_workflow", {"workflw": "x"}, '"workflow"'),
    ("submit_workflow", {"workflow": 5}, "workflow"),
    ("submit_workflow", {"workflow": "x", "wait_seconds": 600}, "wait_seconds"),
    ("inspect_run", {}, "run_id"),
    ("inspect_run", {"run_id": "none"}, "none"),
    ("inspect_run", {"run_id": "none", "detail": "evnts"}, "events"),
    ("cancel_run", {"run_id": "none"}, "none"),
    ("submit_workflow", {"name": "weather"}, "no saved workflow"),
    ("submit_workflow", {"name": "a", "workflow": "tasks: []"}, "workflow and name were given"),
    ("resume_run", {"run_id": "none"}, "none"),
    ("resume_run", {"run_id": "none", "unknown": {"a": "done"}}, "rerun"),
    ("resume_run", {"run_id": "none", "changes": [1]}, "changes"),
    ("save_workflow", {"workflow": "tasks: [{id: a, method: probe/ecco}]"}, "probe/echo"),
    ("save_workflow", {"workflow": "tasks: [{id: a, method: probe/odd}]"}, "needs a name"),
    ("list_workflows", {"name": "weather"}, "no saved workflow"),
    ("delete_workflow", {"name": "weather"}, "no saved workflow"),
    ("list_runs", {"cursor": "made up"}, "cursor"),
    ("list_runs", {"limit": 0}, "limit"),
    ("call_method", {"method": "probe/ecco"}, "probe/echo"),
    ("call_method", {"method": "probe/echo", "parameters": {"txt": "x"}}, "text"),
    ("query_method", {"method": "nothing"}, "nothing"),
]


@pytest.mark.parametrize(("tool", "arguments", "word"), ARGUMENTS)
async def test_wrong_arguments_are_named(tool: str, arguments: dict[str, Any], word: str, factory: Factory) -> None:
    async with client_of(factory) as client:
        refused = await client.call_tool(tool, arguments)
    assert refused.is_error
    assert word in text_of(refused), text_of(refused)
    assert "[internal]" not in text_of(refused)
    assert json.dumps(refused.structured_content)


async def test_a_defect_in_a_provider_is_told_as_such(factory: Factory) -> None:
    async with client_of(factory) as client:
        called = await client.call_tool("call_method", {"method": "probe/crash"})
    assert called.is_error
    assert "provider_crashed" in text_of(called)


async def test_a_defect_of_our_own_is_logged_and_not_told(
    factory: Factory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from gleitzeit.mcp_server.tools import runs

    def broken(_: object) -> None:
        raise ZeroDivisionError("an inner detail")

    monkeypatch.setattr(runs, "compact", broken)
    async with client_of(factory) as client:
        called = await client.call_tool("query_method", {"method": "probe/echo", "parameters": {"text": "x"}})
        run_id = called.structured_content["run_id"]
        broken_call = await client.call_tool("inspect_run", {"run_id": run_id, "detail": "tasks"})
    assert broken_call.is_error
    assert "[internal]" in text_of(broken_call)
    assert "inner detail" not in text_of(broken_call)
    assert "an inner detail" in caplog.text
