"""Numbers of a foreign server."""

from __future__ import annotations

from typing import Any, TypeGuard

_LARGEST = 1e300


def is_finite(value: Any) -> TypeGuard[int | float]:
    """Whether `value` is a number that arithmetic can be done with; JSON has others."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -_LARGEST < value < _LARGEST
