"""Which tools of MCP servers a model gets, and by what names."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gleitzeit.core.errors import LimitError, MethodNotFoundError, ValidationError
from gleitzeit_ollama.methods.tools import (
    functions_of,
    offers_downstream,
    patterns_of,
    safe_names,
    toolbox,
)

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def listed(server: str, name: str, *properties: str, prefix: str | None = None) -> dict[str, Any]:
    method = f"mcp/tool.{prefix if prefix is not None else server + '.'}{name}"
    schema = {"type": "object", "properties": {name: {"type": "string"} for name in properties}}
    return {"name": name, "server": server, "method": method, "description": f"Does {name}", "input_schema": schema}


TOOLS = [
    listed("fs", "read_file", "path"),
    listed("fs", "write_file"),
    listed("git", "log"),
    listed("browser", "open", prefix="b."),
]


def names(*patterns: str) -> list[str]:
    box = toolbox(TOOLS, patterns_of(list(patterns)), [])
    return [definition["function"]["name"] for definition in box.definitions]


def test_tools_are_named_by_their_server_by_their_method_or_by_a_pattern() -> None:
    assert names("mcp") == names("mcp/tool.*") == names("*") == ["fs_read_file", "fs_write_file", "git_log", "b_open"]
    assert names("fs.*") == names("fs") == names("mcp/tool.fs.*") == ["fs_read_file", "fs_write_file"]
    assert names("git.log", "*.read_file") == ["fs_read_file", "git_log"]
    assert names("log") == ["git_log"]
    assert names("browser.*") == names("browser") == names("b.open") == ["b_open"]


def test_the_parameter_tells_tools_of_servers_from_functions_of_the_callers_own() -> None:
    own = {"type": "function", "function": {"name": "f"}}
    assert offers_downstream("mcp")
    assert offers_downstream(["mcp"])
    assert offers_downstream([own, "fs.*"])
    assert not offers_downstream([own])
    assert not offers_downstream(None)
    assert not offers_downstream([])
    assert functions_of([own, "fs.*"]) == [own]
    assert functions_of("mcp") == []
    assert patterns_of([own, "fs.*", "fs.*"]) == ("mcp/tool.fs.*",)


@pytest.mark.parametrize("name", ["python/execute", "mcp/servers", "", "llm/chat"])
def test_what_is_no_tool_of_a_server_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="names no tool of an MCP server"):
        patterns_of([name])


def test_a_pattern_that_fits_nothing_names_the_nearest() -> None:
    with pytest.raises(MethodNotFoundError, match=r'no tool of the MCP servers fits "fs\.read_fil"') as raised:
        toolbox(TOOLS, patterns_of("fs.read_fil"), [])
    assert raised.value.hint == 'did you mean "fs.read_file"?'
    with pytest.raises(MethodNotFoundError) as raised:
        toolbox(TOOLS, patterns_of(["fs.*", "gitt.*"]), [])
    assert raised.value.hint == 'did you mean "git.log"?'
    with pytest.raises(MethodNotFoundError) as raised:
        toolbox(TOOLS, patterns_of("zzz.*"), [])
    assert "fs, git, browser" in str(raised.value.hint)
    with pytest.raises(MethodNotFoundError, match="no MCP server has a tool") as raised:
        toolbox([], patterns_of("mcp"), [])
    assert "mcp.servers" in str(raised.value.hint)


def test_too_many_tools_are_told_with_their_number() -> None:
    many = [listed("big", f"tool{number}") for number in range(129)]
    with pytest.raises(LimitError, match=r'"big\.\*" names 129 tools, and 128 are the most'):
        toolbox(many, patterns_of("big.*"), [])
    assert len(toolbox(many[:128], patterns_of("big.*"), []).definitions) == 128


def test_a_tool_is_told_of_with_its_schema() -> None:
    [definition] = toolbox(TOOLS, patterns_of("fs.read_file"), []).definitions
    assert definition == {
        "type": "function",
        "function": {
            "name": "fs_read_file",
            "description": "Does read_file",
            "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
        },
    }


def test_names_are_safe_and_unlike_and_the_same_every_time() -> None:
    methods = [
        "mcp/tool.a.b",
        "mcp/tool.a_b",
        "mcp/tool.größe.messen",
        "mcp/tool." + "x" * 80 + ".one",
        "mcp/tool." + "x" * 80 + ".two",
        "mcp/tool.f",
    ]
    found = safe_names(methods, taken=["f"])
    assert len(set(found) | {"f"}) == len(methods) + 1
    assert all(NAME.fullmatch(name) for name in found)
    assert found == safe_names(methods, taken=["f"])
    assert found[0].startswith("a_b_")
    assert dict(zip(reversed(methods), safe_names(methods[::-1], taken=["f"]), strict=True)) == dict(
        zip(methods, found, strict=True)
    )


def test_a_model_may_write_the_name_of_the_method() -> None:
    box = toolbox(TOOLS, patterns_of("mcp"), [])
    for name in ("fs_read_file", "fs.read_file", "mcp/tool.fs.read_file"):
        tool = box.find(name)
        assert tool is not None
        assert tool.method == "mcp/tool.fs.read_file"
    assert box.find("nothing") is None
    assert box.unknown("fs_read").startswith('there is no tool "fs_read"; did you mean "fs_read_file"? there are ')


def test_arguments_are_wrapped_so_that_none_is_taken_for_a_setting() -> None:
    plain, odd = (
        toolbox([listed("a", "t", *properties)], patterns_of("mcp"), []).find("a_t")
        for properties in ((), ("arguments",))
    )
    assert plain is not None
    assert odd is not None
    assert plain.parameters({"timeout": 5}) == {"arguments": {"timeout": 5}}
    assert odd.parameters({"arguments": {}}) == {"arguments": {}}
    assert odd.parameters({"x": 1}) == {"x": 1}
