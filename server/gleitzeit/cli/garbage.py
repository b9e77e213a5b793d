"""How often a process that serves looks for garbage in circles: nearly all that a request makes is freed without."""

from __future__ import annotations

import gc

_MANY = 50_000
_SELDOM = 20


def look_seldom() -> None:
    """Look only after many objects more, and never at those that are there now.

    The requests that are under way at once hold more objects than Python lets grow between two looks by default, so
    that it would look all the time, and find nothing: that took a fifth of what a hundred clients cost.
    """
    gc.freeze()
    gc.set_threshold(_MANY, _SELDOM, _SELDOM)
