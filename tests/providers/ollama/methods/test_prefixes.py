from __future__ import annotations

from typing import Any

from gleitzeit_ollama.methods.prefixes import message_prefixes, prompt_prefixes

SYSTEM = {"role": "system", "content": "You are helpful."}


def user(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": text, **more}


def shared(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many beginnings two prompts have in common."""
    return sum(1 for first, second in zip(one, other, strict=False) if first == second)


def test_each_message_ends_one_more_beginning() -> None:
    assert len(message_prefixes([SYSTEM, user("a"), user("b")])) == 3


def test_conversations_that_go_another_way_share_what_came_before() -> None:
    assert (
        shared(message_prefixes([SYSTEM, user("a"), user("b")]), message_prefixes([SYSTEM, user("a"), user("c")])) == 2
    )
    assert shared(message_prefixes([SYSTEM, user("a")]), message_prefixes([user("a")])) == 0


def test_a_conversation_goes_on_from_the_whole_of_the_earlier_one() -> None:
    long = [SYSTEM, *(user(str(number)) for number in range(40))]
    assert message_prefixes(long)[-1] in message_prefixes([*long, user("more")])


def test_no_prompt_has_more_beginnings_than_anyone_compares() -> None:
    assert len(message_prefixes([user("x" * 10_000)] * 100)) == 16
    assert len(prompt_prefixes("x" * 20_000_000)) == 16


def test_long_texts_with_the_same_beginning_share_it() -> None:
    instructions = "Sort this letter into one of these groups. " * 100
    one, other = message_prefixes([user(f"{instructions}A")]), message_prefixes([user(f"{instructions}B")])
    assert 0 < shared(one, other) < len(one)
    one, other = prompt_prefixes(f"{instructions}A", "Be brief."), prompt_prefixes(f"{instructions}B", "Be brief.")
    assert 0 < shared(one, other) < len(one)


def test_tools_and_images_are_part_of_the_prompt() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}]
    assert shared(message_prefixes([SYSTEM], tools), message_prefixes([SYSTEM])) == 0
    assert shared(message_prefixes([user("a", images=["iVBOR"])]), message_prefixes([user("a", images=["R0lGO"])])) == 0


def test_the_end_of_one_message_is_not_the_beginning_of_the_next() -> None:
    assert message_prefixes([user("ab"), user("c")])[-1] != message_prefixes([user("a"), user("bc")])[-1]


def test_a_context_stands_between_the_system_and_the_prompt() -> None:
    assert shared(prompt_prefixes("a", "Be brief.", [1, 2]), prompt_prefixes("a", "Be brief.", [1, 3])) == 1
