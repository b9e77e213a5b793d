"""Keys of the rows of a run: `id` is a task, `id[3]` an item of its foreach, `id/2` and `id[3]/2` are their calls."""

from __future__ import annotations


def task_of(key: str) -> str:
    """The task that a row belongs to: `id` of each of them."""
    return key.partition("/")[0].partition("[")[0]


def maker_of(key: str) -> str:
    """The task or item whose code made a call: `id[3]` of `id[3]/2`; any other key itself."""
    return key.partition("/")[0]


def is_call(key: str) -> bool:
    """Whether it is that of a call."""
    return "/" in key


def is_item(key: str) -> bool:
    """Whether it is that of an item of a foreach."""
    return key.endswith("]")


def index_of(key: str) -> int:
    """3 of the item `id[3]`."""
    return int(key.partition("[")[2][:-1])


def number_of(key: str) -> int:
    """2 of the call `id/2`."""
    return int(key.partition("/")[2])


def item_key(task_id: str, index: int) -> str:
    """The key of an item."""
    return f"{task_id}[{index}]"


def call_key(maker: str, number: int) -> str:
    """The key of a call that a task or item made."""
    return f"{maker}/{number}"
