from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.mcp_server.prompts.quoting import quoted


@given(st.text(alphabet=st.one_of(st.just("`"), st.just("\n"), st.characters()), max_size=200))
def test_no_text_closes_its_fences(text: str) -> None:
    first, *inside, last = quoted(text, 10_000).split("\n")
    assert first == f"{last}text"
    assert re.fullmatch("`{3,}", last)
    assert all(last not in line for line in inside)


def test_marks_that_hide_or_turn_text_around_are_made_visible() -> None:
    assert quoted("a\u202eb\x1b[2Jc\u2066\U000e0041d\n\te", 1_000) == (
        "```text\na\\u202eb\\u001b[2Jc\\u2066\\U000e0041d\n\te\n```"
    )


def test_a_long_text_is_cut_and_says_so() -> None:
    assert quoted("x" * 1_000, 10) == "```text\nxxxxxxxxxx… (cut: 1000 bytes)\n```"
