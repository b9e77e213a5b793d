"""A tool's answer as the result of a task, and the ways to name a tool."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.application.permission import Permission
from gleitzeit.config.settings import Policy
from gleitzeit.core.errors import ToolFailedError
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.catalog.routes import Route, routes
from gleitzeit_mcp.catalog.tools import method_of, read_catalog
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.forwarding.results import result_of

IMAGE = {"type": "image", "data": "aGk=", "mimeType": "image/png"}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


@pytest.mark.parametrize(
    ("answer", "fields"),
    [
        ({"content": [text("hi")]}, {"text": "hi"}),
        ({"content": [text("a"), IMAGE, text("b")]}, {"text": "a\nb"}),
        ({"content": []}, {"text": ""}),
        ({"content": [text('{"a": 1}')]}, {"a": 1, "text": '{"a": 1}'}),
        ({"content": [text("{not json")]}, {"text": "{not json"}),
        ({"content": [text('{"a": 1}')], "structuredContent": {"b": 2}}, {"b": 2, "text": '{"a": 1}'}),
        ({"content": [text("x")], "structuredContent": [1]}, {"result": [1], "text": "x"}),
    ],
)
def test_the_fields_of_an_answer_stand_at_the_top_level(answer: dict[str, Any], fields: dict[str, Any]) -> None:
    assert result_of("s", "t", answer) == {**fields, "content": answer["content"]}


def test_a_structured_field_goes_before_what_the_hub_adds() -> None:
    answer = {"content": [text("x")], "structuredContent": {"content": "the file", "text": "its text"}}
    assert result_of("s", "t", answer) == {"content": "the file", "text": "its text"}


@pytest.mark.parametrize(("words", "shown"), [("no such file", "no such file"), ("", "it gave no reason")])
def test_an_error_is_in_the_words_of_the_tool(words: str, shown: str) -> None:
    with pytest.raises(ToolFailedError) as failure:
        result_of("s", "t", {"content": [text(words)], "isError": True})
    assert failure.value.message == shown
    assert failure.value.details == {"server": "s", "tool": "t"}


FILES = Server(name="filesystem", command="x", tool_prefix="fs.")
DEEP = Server(name="fs.deep", command="x")
PLAIN = Server(name="plain", command="x")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mcp/tool.fs.read", [Route("filesystem", "read")]),
        ("mcp/tool.filesystem.read", [Route("filesystem", "read")]),
        ("mcp/tool.fs.deep.read", [Route("fs.deep", "read"), Route("filesystem", "deep.read")]),
        ("mcp/tool.plain.read", [Route("plain", "read")]),
        ("mcp/tool.read", [Route("fs.deep", "read", bare=True), Route("plain", "read", bare=True)]),
    ],
)
def test_a_name_points_to_servers_the_longest_match_first(method: str, expected: list[Route]) -> None:
    assert list(routes(method, [FILES, DEEP, PLAIN])) == expected


def test_the_first_name_of_a_tool_has_the_prefix_or_the_server() -> None:
    assert method_of(FILES, "read") == "mcp/tool.fs.read"
    assert method_of(PLAIN, "read") == "mcp/tool.plain.read"


def test_what_a_policy_says_of_one_name_of_a_tool_holds_for_all() -> None:
    hub = MCPHubProvider("mcp", {"servers": [FILES.model_dump(), PLAIN.model_dump()]})
    named = {"mcp/tool.fs.write", "mcp/tool.filesystem.write"}
    assert set(hub.names_of("mcp/tool.fs.write")) == set(hub.names_of("mcp/tool.filesystem.write")) == named
    assert set(hub.names_of("mcp/tool.write")) == {"mcp/tool.write", "mcp/tool.plain.write"}
    assert hub.names_of("mcp/servers") == ("mcp/servers",)
    denying = Permission(Policy(deny=("mcp/tool.fs.w*",)), hub.names_of)
    assert [denying.allows(name) for name in sorted(named)] == [False, False]
    assert denying.allows("mcp/tool.filesystem.read")
    allowing = Permission(Policy(allow=("mcp/tool.filesystem.*",)), hub.names_of)
    assert allowing.allows("mcp/tool.fs.write")
    assert not allowing.allows("mcp/tool.plain.write")


def test_text_and_content_are_fields_of_each_tool_s_result() -> None:
    closed = {"type": "object", "properties": {"sum": {"type": "number"}}, "additionalProperties": False}
    entry = {"name": "add", "inputSchema": {"type": "object"}, "outputSchema": closed}
    spec = read_catalog(PLAIN, [entry]).tools["add"].spec()
    assert spec.returns is not None
    assert set(spec.returns["properties"]) == {"sum", "text", "content"}
