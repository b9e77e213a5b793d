"""Which of several ways a test goes: some of them at every change, all of them by `make ways`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeVar

Way = TypeVar("Way")

FULL = os.environ.get("GLEITZEIT_WAYS") == "full"


def some(few: Sequence[Way], every: Sequence[Way]) -> Sequence[Way]:
    """`few` ways, or `every` one where the environment asks for that."""
    return every if FULL else few
