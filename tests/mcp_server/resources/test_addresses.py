from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.mcp_server.resources.addresses import (
    Address,
    FixedAddress,
    RunAddress,
    TaskAddress,
    WorkflowAddress,
    parse_address,
    run_uri,
    task_uri,
    workflow_uri,
)

NAMES = st.text(min_size=1, max_size=60).filter(
    lambda name: name.isprintable() and not {".", ".."} & set(name.replace("\\", "/").split("/"))
)


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("gleitzeit://runs/3f00", RunAddress("3f00")),
        ("gleitzeit://runs/3f00/tasks/fetch", TaskAddress("3f00", "fetch")),
        ("gleitzeit://runs/3f00/tasks/fetch%5B3%5D", TaskAddress("3f00", "fetch[3]")),
        ("gleitzeit://runs/3f00/tasks/fetch[3]", TaskAddress("3f00", "fetch[3]")),
        ("gleitzeit://runs/3f00/tasks/fetch%2F2", TaskAddress("3f00", "fetch/2")),
        ("gleitzeit://workflows/daily%20report", WorkflowAddress("daily report")),
        ("gleitzeit://workflows/täglich", WorkflowAddress("täglich")),
        ("gleitzeit://workflows/team%2Freport", WorkflowAddress("team/report")),
        ("gleitzeit://schema/workflow", FixedAddress("gleitzeit://schema/workflow")),
        ("gleitzeit://servers", FixedAddress("gleitzeit://servers")),
    ],
)
def test_an_address_names_one_thing(uri: str, address: Address) -> None:
    assert parse_address(uri) == address


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "gleitzeit://",
        "gleitzeit://runs",
        "gleitzeit://runs/",
        "gleitzeit://runs//tasks/a",
        "gleitzeit://runs/a/tasks/",
        "gleitzeit://runs/a/tasks/b/c",
        "gleitzeit://runs/a?x=1",
        "gleitzeit://runs/a#x",
        "gleitzeit://runs/a b",
        "gleitzeit://runs/a\n",
        "gleitzeit://runs/%0a",
        "gleitzeit://runs/%00",
        "gleitzeit://runs/%ff",
        "gleitzeit://runs/%zz",
        "gleitzeit://runs/\ud800",
        "gleitzeit://workflows/..",
        "gleitzeit://workflows/.",
        "gleitzeit://workflows/%2e%2e",
        "gleitzeit://workflows/../secret",
        "gleitzeit://workflows/..%2Fsecret",
        "gleitzeit://workflows/a%2F..%2F..%2Fsecret",
        "gleitzeit://workflows/..%5Csecret",
        "gleitzeit://workflows/a%E2%80%AEb",
        "gleitzeit://servers/x",
        "gleitzeit://schema/other",
        "GLEITZEIT://runs/a",
        "gleitzeit:/runs/a",
        " gleitzeit://runs/a",
        "file:///etc/passwd",
        "http://127.0.0.1/runs/a",
        "/etc/passwd",
        f"gleitzeit://runs/{'a' * 3_000}",
    ],
)
def test_tricks_lead_nowhere(uri: str) -> None:
    assert parse_address(uri) is None


def test_what_is_encoded_twice_is_decoded_once() -> None:
    assert parse_address("gleitzeit://workflows/%252e%252e") == WorkflowAddress("%2e%2e")


@given(NAMES, NAMES)
def test_every_name_that_can_be_has_an_address(run_id: str, task_id: str) -> None:
    assert parse_address(run_uri(run_id)) == RunAddress(run_id)
    assert parse_address(task_uri(run_id, task_id)) == TaskAddress(run_id, task_id)
    assert parse_address(workflow_uri(run_id)) == WorkflowAddress(run_id)


@given(st.text(max_size=100))
def test_no_text_breaks_the_parser(text: str) -> None:
    for uri in (text, f"gleitzeit://runs/{text}", f"gleitzeit://workflows/{text}"):
        parse_address(uri)
