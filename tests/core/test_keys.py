"""Keys of tasks, of items and of the calls that either makes, taken apart and put together."""

from __future__ import annotations

import pytest

from gleitzeit.core.keys import call_key, index_of, is_call, is_item, item_key, maker_of, number_of, task_of


@pytest.mark.parametrize(
    ("key", "maker", "call", "item"),
    [
        ("mail", "mail", False, False),
        ("mail[3]", "mail[3]", False, True),
        ("mail/2", "mail", True, False),
        ("mail[3]/2", "mail[3]", True, False),
    ],
)
def test_a_key_says_what_it_is_that_of_and_whose(key: str, maker: str, call: bool, item: bool) -> None:
    assert (task_of(key), maker_of(key), is_call(key), is_item(key)) == ("mail", maker, call, item)


def test_what_is_put_together_comes_apart_again() -> None:
    item = item_key("mail", 12)
    call = call_key(item, 34)
    assert (item, index_of(item)) == ("mail[12]", 12)
    assert (call, number_of(call), task_of(call), maker_of(call)) == ("mail[12]/34", 34, "mail", item)
