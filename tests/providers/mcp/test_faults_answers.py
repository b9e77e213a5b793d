"""Answers that are wrong, double, foreign or unreadable spoil no more than the call that they were for."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.answering import BLOCKS, RESULTS
from tests.providers.mcp.servers.settings import ERAS, raw
from tests.providers.mcp.servers.task import called, row_of, task

from gleitzeit.core import errors
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]


async def outcome(hub: MCPHubProvider, tool: str, parameters: dict[str, Any]) -> dict[str, Any] | GleitzeitError:
    try:
        return await called(hub, f"answering.{tool}", parameters, by=task(5))
    except GleitzeitError as error:
        return error


async def refused(hub: MCPHubProvider, kind: str) -> GleitzeitError:
    """The error that a result of that kind becomes, while the connection goes on."""
    error = await outcome(hub, "written", {"kind": kind})
    assert isinstance(error, ProviderError), kind
    assert not isinstance(error, ConnectionLostError), kind
    assert not error.retryable, kind
    return error


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_whose_answer_goes_to_nobody_ends_by_its_time(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering", era=era)) as hub:
            await called(hub, "answering.good")
            with pytest.raises(errors.TimeoutError) as failure:
                await called(hub, "answering.wrong", by=task(0.3))
            assert (await called(hub, "answering.stranger", {"number": 7}))["asked"] == 7
            assert (await row_of(hub, "answering"))["restarts"] == 0
    assert failure.value.ambiguous


@pytest.mark.parametrize("era", ERAS)
async def test_of_two_answers_the_first_counts_and_an_id_may_be_respelled(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering", era=era)) as hub:
            for number in range(3):
                assert (await called(hub, "answering.twice"))["answer"] == 1
                assert (await called(hub, "answering.respelled", {"number": number}))["asked"] == number


@pytest.mark.parametrize("era", ERAS)
async def test_no_answer_however_odd_leaves_its_call_without_an_end(open_hub: OpenHub, era: str) -> None:
    outcomes: dict[str, dict[str, Any] | GleitzeitError] = {}
    with anyio.fail_after(30):
        async with open_hub(raw("answering", era=era)) as hub:
            for kind in RESULTS:
                outcomes[kind] = await outcome(hub, "written", {"kind": kind})
                assert (await called(hub, "answering.good"))["good"], kind
            assert (await row_of(hub, "answering"))["restarts"] == 0
    assert [kind for kind, end in outcomes.items() if isinstance(end, errors.TimeoutError)] == []
    for kind, end in outcomes.items():
        if isinstance(end, dict):
            json.dumps(end, ensure_ascii=False).encode()
            assert isinstance(end["content"], list), kind


async def test_what_is_no_object_or_cannot_be_read_is_an_error_for_good(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            for kind in ("number", "null", "list"):
                assert "object" in (await refused(hub, kind)).message
            for kind in ("nested", "cut", "huge"):
                assert "cannot be read" in (await refused(hub, kind)).message


async def test_text_that_is_no_text_is_mended(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            half = await called(hub, "answering.written", {"kind": "surrogate"})
            broken = await called(hub, "answering.written", {"kind": "not_utf8"})
            deep = await called(hub, "answering.written", {"kind": "deep_text"})
    assert half["text"] == "a?"
    assert broken["text"] == "a\ufffd\ufffd"
    assert deep["text"].startswith('{"a":')


async def test_a_result_of_a_kind_that_nobody_knows_is_no_result(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering", era="modern")) as hub:
            assert "poem" in (await refused(hub, "unknown_kind")).message


async def test_content_that_is_no_list_is_not_lost_without_a_word(open_hub: OpenHub) -> None:
    context = task(5)
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            try:
                result = await called(hub, "answering.written", {"kind": "no_blocks"}, by=context)
            except ProviderError:
                return
    assert "words" in str(result) or context.metadata.get("warnings")


async def test_a_result_beside_an_error_that_is_null_is_a_result(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            assert (await called(hub, "answering.polite", by=task(5)))["polite"]


@pytest.mark.parametrize(
    "error",
    [
        "words",
        None,
        5,
        {},
        {"code": "none", "message": "disk is full"},
        {"code": 1.5},
        {"code": -32001, "message": "disk is full"},
        {"code": -32000, "message": "disk is full", "data": {"free": 0}},
        {"code": 10**30, "message": ["disk", "is", "full"]},
    ],
)
async def test_an_error_of_any_form_is_an_error_of_that_call(open_hub: OpenHub, error: Any) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            with pytest.raises(GleitzeitError) as failure:
                await called(hub, "answering.error", {"error": error}, by=task(5))
            assert (await called(hub, "answering.good"))["good"]
            assert (await row_of(hub, "answering"))["restarts"] == 0
    assert not isinstance(failure.value, errors.TimeoutError | ConnectionLostError)
    if '"message": "disk is full"' in json.dumps(error):
        assert "disk is full" in failure.value.message


async def test_neither_a_result_nor_an_error_is_an_error(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            end = await outcome(hub, "neither", {})
            assert (await called(hub, "answering.good"))["good"]
    assert isinstance(end, ProviderError)


async def test_messages_that_come_in_an_array_are_read_one_by_one(open_hub: OpenHub) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering")) as hub:
            assert (await called(hub, "answering.batch", by=task(5)))["batched"]


@pytest.mark.parametrize("era", ERAS)
async def test_blocks_of_every_type_arrive_as_they_were_sent(open_hub: OpenHub, era: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(raw("answering", era=era)) as hub:
            result = await called(hub, "answering.rich")
    assert result["content"] == BLOCKS
    assert result["text"] == "words"


@pytest.mark.parametrize("era", ERAS)
async def test_data_that_break_their_own_schema_are_passed_on_with_a_warning(open_hub: OpenHub, era: str) -> None:
    untrue, unstructured = TaskContext(), TaskContext()
    with anyio.fail_after(20):
        async with open_hub(raw("answering", era=era)) as hub:
            result = await called(hub, "answering.untrue", by=untrue)
            missing = await called(hub, "answering.unstructured", by=unstructured)
    assert (result["count"], result["more"]) == ("three", [1])
    assert "count" in str(untrue.metadata["warnings"])
    assert missing["text"] == "three"
    assert unstructured.metadata["warnings"]
