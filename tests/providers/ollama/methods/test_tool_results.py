"""What a model reads of what a tool answered."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit_ollama.methods.tool_results import MOST_CHARACTERS, told


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"text": "just words", "content": [{"type": "text", "text": "just words"}]}, "just words"),
        ({"sum": 5, "text": '{\n  "sum": 5\n}', "content": []}, '{"sum":5}'),
        ({"sum": 5, "text": "five", "content": []}, "five"),
        ({"sum": 5, "text": "", "content": []}, '{"sum":5}'),
        ({"text": "", "content": []}, "(no result)"),
        ([1, 2], '{"result":[1,2]}'),
        (
            {"text": "see", "content": [{"type": "text", "text": "see"}, {"type": "image", "mimeType": "image/png"}]},
            "see\n[image image/png]",
        ),
        ({"text": "", "content": [{"type": "resource", "resource": {"uri": "a:b", "text": "inside"}}]}, "inside"),
        ({"text": "", "content": [{"type": "resource_link", "uri": "file:///x"}]}, "[resource_link file:///x]"),
        ({"größe": "ä", "text": ""}, '{"größe":"ä"}'),
    ],
)
def test_a_model_reads_the_text_of_a_result_or_its_data(result: Any, text: str) -> None:
    assert told(result) == text


def test_a_long_result_is_cut_and_says_so() -> None:
    text = told({"text": "x" * 100_000})
    assert text.startswith("x" * MOST_CHARACTERS)
    assert text.endswith("[cut off: 20,000 of 100,000 characters]")
