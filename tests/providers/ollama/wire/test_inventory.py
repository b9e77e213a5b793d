from __future__ import annotations

from typing import Any

import pytest

from gleitzeit_ollama.wire.inventory import Installed, Loaded, installed, loaded

TAG: dict[str, Any] = {
    "name": "gemma3:270m",
    "model": "gemma3:270m",
    "size": 253113294,
    "digest": "cb93f902",
    "details": {"family": "gemma3", "parameter_size": "268.10M"},
}


def test_models_are_listed_with_what_tells_their_version() -> None:
    assert installed({"models": [TAG]}) == (Installed("gemma3:270m", 253113294, "cb93f902", TAG["details"]),)


def test_what_is_in_memory_is_listed_with_its_end() -> None:
    running = {**TAG, "size": 315595264, "expires_at": "2026-11-22T09:05:00Z", "size_vram": 0, "context_length": 4096}
    assert loaded({"models": [running]}) == (Loaded("gemma3:270m", 315595264, 0, "2026-11-22T09:05:00Z", 4096),)


def test_an_older_server_tells_less() -> None:
    assert loaded({"models": [{"name": "tiny"}]}) == (Loaded("tiny"),)
    assert installed({"models": [{"name": "tiny", "size": None, "digest": 5, "details": None}]}) == (Installed("tiny"),)


@pytest.mark.parametrize("empty", [[], None])
def test_no_models_are_an_empty_list(empty: Any) -> None:
    assert installed({"models": empty}) == ()
    assert loaded({"models": empty}) == ()


@pytest.mark.parametrize("answer", [{}, {"models": "none"}, {"data": []}])
def test_what_lists_no_models_is_told_from_an_empty_list(answer: dict[str, Any]) -> None:
    assert installed(answer) is None
    assert loaded(answer) is None


def test_a_size_that_is_none_is_left_out() -> None:
    sizes = {"size": -1, "size_vram": True, "context_length": "much"}
    assert loaded({"models": [{"name": "tiny", **sizes}]}) == (Loaded("tiny"),)


def test_entries_that_are_no_models_are_left_out() -> None:
    assert installed({"models": [5, {}, {"name": 7}, {"name": "tiny"}]}) == (Installed("tiny"),)
