"""Names of tools: taken by every host, stable, and nobody's but one's own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.published.names import (
    server_tool,
    server_tool_named,
    workflow_named,
    workflow_tool,
)

TAKEN = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        ("daily-report", "wf_daily-report"),
        ("x" * 61, "wf_" + "x" * 61),
        ("x" * 62, "wf_" + "x" * 52 + "_21210f96"),
        ("Bericht für heute", "wf_Bericht_f_r_heute_6fc8d05f"),
        ("team/daily", "wf_team_daily_776ae36c"),
        ("report_0123abcd", "wf_report_0123abcd_39445d9a"),
    ],
)
def test_a_workflow_has_its_own_name_or_one_with_a_mark_that_never_changes(name: str, tool: str) -> None:
    assert workflow_tool(name) == tool


@pytest.mark.parametrize(
    ("server", "name", "tool"),
    [
        ("fs", "read_file", "fs__read_file"),
        ("git-hub", "search.code", "git-hub__search_code_59aac0bd"),
        ("wf_x", "y", "mcp_wf_x__y_957c3d23"),
    ],
)
def test_a_downstream_tool_is_named_by_its_server_and_itself(server: str, name: str, tool: str) -> None:
    assert server_tool(server, name) == tool


NAMES = st.one_of(
    st.text(alphabet="ab_-/. ü", min_size=1, max_size=80),
    st.from_regex(r"[a-z_]{0,60}_[0-9a-f]{8}", fullmatch=True),
    st.text(min_size=1, max_size=130),
)


@settings(max_examples=100, deadline=None)
@given(NAMES, NAMES)
def test_two_workflows_never_share_a_name_that_every_host_takes(one: str, other: str) -> None:
    assert TAKEN.fullmatch(workflow_tool(one))
    assert (workflow_tool(one) == workflow_tool(other)) == (one == other)
    assert workflow_named(workflow_tool(one)) in (one, None)


@settings(max_examples=100, deadline=None)
@given(st.tuples(NAMES, NAMES), st.tuples(NAMES, NAMES))
def test_two_downstream_tools_never_share_one_nor_take_that_of_anything_else(
    one: tuple[str, str], other: tuple[str, str]
) -> None:
    name = server_tool(*one)
    assert TAKEN.fullmatch(name)
    assert (name == server_tool(*other)) == (one == other)
    assert name not in TOOLS
    assert not name.startswith("wf_")
    assert server_tool_named(name) in (one, None)


def test_where_two_could_be_meant_neither_has_the_plain_name() -> None:
    assert server_tool("a", "_b") != server_tool("a_", "b")
    assert server_tool_named("a___b") is None
    assert server_tool_named("a__b__c") is None
    assert server_tool_named("read_file") is None
    assert workflow_named("wf_") is None
