"""Whatever a tool is given, its answer is one that a model can use, and fits the schema that the tool declares."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from jsonschema import Draft202012Validator
from mcp import Client
from tests.ways import FULL

from gleitzeit.application import Application
from gleitzeit.core.data import is_list, is_object
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

Factory = Callable[[], AbstractAsyncContextManager[Application]]

ODD = [
    "",
    " ",
    "\x00",
    "\u202egnp.exe",
    "\x1b[2J",
    "half \ud800",
    "../../etc/passwd",
    "..%2f..%2fetc",
    "C:\\\\x",
    "-1",
    "null",
    "[",
    "(a+)+$",
    "${inputs.x}",
    "{{x}}",
    "$${",
    "a" * 70_000,
    "é" * 300,
    "'; DROP TABLE runs; --",
]
METHODS = [
    "probe/echo",
    "probe/items",
    "probe/fail",
    "probe/crash",
    "probe/odd",
    "probe/ask",
    "workflow/run",
    "probe/*",
]
KNOWN = ["kept", "a", "call", "a[0]", "a/1"]
DOCUMENTS: list[Any] = [
    "tasks: [{id: a, method: probe/echo, parameters: {text: hi}}]",
    "tasks: [{id: a, method: probe/items, parameters: {n: '${inputs.n}'}}]\ninputs: {n: integer}",
    {"name": "kept", "tasks": [{"id": "a", "method": "probe/ask", "parameters": {"message": "?"}}]},
    {"tasks": [{"id": "a", "method": "workflow/run", "parameters": {"name": "kept"}}]},
    {
        "tasks": [{"id": "a", "method": "probe/fail", "foreach": [1, 2], "on_error": "continue"}],
        "outputs": {"o": "${a}"},
    },
    {"tasks": [{"id": "a", "method": "probe/echo", "when": "1/0 > inputs.x", "parameters": {"text": "${a.b}"}}]},
    "&a [*a]",
    "a: &b {c: *b}",
    "tasks: !!python/object/apply:os.system [true]",
    "- " * 3_000,
]
TEXTS = st.sampled_from([*ODD, *METHODS, *KNOWN]) | st.text(max_size=20)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def values(name: str, schema: Mapping[str, Any]) -> SearchStrategy[Any]:
    """Values that fit the schema of an argument, and those that nearly do; none that waits for long."""
    if name in ("wait_seconds", "timeout_seconds"):
        return st.sampled_from([0, 0.01, -1, 46, "1", None, True])
    if "enum" in schema:
        return st.sampled_from([*schema["enum"], "other"])
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    some = [_OF_KIND[kind] for kind in kinds]
    named = {"workflow": st.sampled_from(DOCUMENTS), "method": st.sampled_from(METHODS), "name": st.sampled_from(KNOWN)}
    return st.one_of(named.get(name, st.nothing()), *some, JUNK)


_OF_KIND: Mapping[str, SearchStrategy[Any]] = {
    "string": TEXTS,
    "integer": st.integers(-2, 200) | st.integers(),
    "number": st.floats(allow_nan=False),
    "boolean": st.booleans(),
    "array": st.lists(JUNK, max_size=3),
    "object": st.dictionaries(TEXTS, JUNK, max_size=3)
    | st.fixed_dictionaries({}, optional={"text": TEXTS, "n": st.integers(-1, 5), "message": TEXTS, "a": JUNK}),
}


def arguments_of(tool: str) -> SearchStrategy[dict[str, Any]]:
    """Arguments for a tool; now and then one that is required is missing, or one is there that nobody knows."""
    schema = TOOLS[tool].input_schema
    known = {name: values(name, inner) for name, inner in schema["properties"].items()}
    required = {name: known[name] for name in schema.get("required", ())}
    optional = {name: strategy for name, strategy in known.items() if name not in required}
    sound = st.fixed_dictionaries(required, optional=optional)
    return sound | st.fixed_dictionaries({}, optional={**known, "unknown": JUNK})


@pytest.mark.parametrize("tool", TOOLS)
@settings(
    max_examples=25 if FULL else 4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
async def test_every_answer_is_of_use_and_fits_what_the_tool_declares(
    tool: str, factory: Factory, data: st.DataObject
) -> None:
    given_arguments = data.draw(st.lists(arguments_of(tool), min_size=12, max_size=12))
    with anyio.fail_after(300):
        async with client_with_a_run(factory) as (client, run_id):
            for arguments in given_arguments:
                if data.draw(st.booleans()) and "run_id" in arguments:
                    arguments["run_id"] = run_id
                check(tool, arguments, await client.call_tool(tool, wire_form(arguments)))
            after = await client.call_tool("query_method", {"method": "probe/echo", "parameters": {"text": "on"}})
    assert not after.is_error


def check(tool: str, arguments: Mapping[str, Any], result: types.CallToolResult) -> None:
    told = "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
    assert told, arguments
    assert "[internal]" not in told, (arguments, told)
    assert json.dumps(result.structured_content)
    assert len(told.encode()) < 70_000
    if not result.is_error:
        validator: Any = Draft202012Validator(TOOLS[tool].output_schema or {})
        validator.validate(result.structured_content)


def wire_form(value: Any) -> Any:
    """A value as a wire carries it, which has no halves of characters."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    if is_object(value):
        return {wire_form(key): wire_form(item) for key, item in value.items()}
    return [wire_form(item) for item in value] if is_list(value) else value


@asynccontextmanager
async def client_with_a_run(factory: Factory) -> AsyncGenerator[tuple[Client, str]]:
    """A client of a server that has a saved workflow, and a run of two tasks that waits for an answer."""
    workflow = {
        "name": "kept",
        "tasks": [
            {"id": "a", "method": "probe/items", "parameters": {"n": 3}},
            {"id": "b", "method": "probe/ask", "parameters": {"message": "which of ${a.items}?"}},
        ],
    }
    async with open_face(factory) as face, Client(build_server(face), mode="legacy", cache=None) as client:
        await client.call_tool("save_workflow", {"workflow": workflow})
        begun = await client.call_tool("submit_workflow", {"name": "kept", "wait_seconds": 0})
        yield client, begun.structured_content["run_id"]
