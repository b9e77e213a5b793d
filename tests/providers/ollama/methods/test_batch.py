"""Which parameters are a batch, and of what."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.batch import batch_of

ONE = [{"content": "hi"}]


def test_a_list_of_prompts_or_of_conversations_is_a_batch() -> None:
    assert batch_of("llm/generate", {"prompt": ["a", "b"], "seed": 1}) == [
        {"prompt": "a", "seed": 1},
        {"prompt": "b", "seed": 1},
    ]
    assert batch_of("llm/chat", {"messages": [ONE, ONE]}) == [{"messages": ONE}, {"messages": ONE}]
    assert batch_of("llm/generate", {"prompt": []}) == []


@pytest.mark.parametrize("parameters", [{"prompt": "a"}, {"messages": ONE}, {"messages": "hi"}, {"messages": []}])
def test_all_else_is_one_call(parameters: dict[str, Any]) -> None:
    assert batch_of("llm/chat", parameters) is None


def test_a_mixture_names_the_message_that_is_no_conversation() -> None:
    with pytest.raises(ValidationError, match=r"messages\[1\] is one message, and others are lists"):
        batch_of("llm/chat", {"messages": [ONE, {"content": "hi"}]})


def test_a_batch_has_no_tools_of_servers_but_functions_of_its_own() -> None:
    with pytest.raises(ValidationError, match="a batch cannot use the tools of MCP servers") as raised:
        batch_of("llm/chat", {"messages": [ONE, ONE], "tools": "mcp"})
    assert "foreach" in str(raised.value.hint)
    own = [{"type": "function", "function": {"name": "f"}}]
    assert len(batch_of("llm/chat", {"messages": [ONE, ONE], "tools": own}) or ()) == 2
