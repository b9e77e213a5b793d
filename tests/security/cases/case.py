"""A case: code that tries to do what no job may, or that every job may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ESCAPED = "ESCAPED"
"""What code prints once it has got through."""


@dataclass(frozen=True)
class Case:
    """`weak` names the tiers in which it is known to get through, with the reason; `works` is code that has to succeed.

    The code finds the addresses of the canaries in `args`.
    """

    name: str
    code: str
    works: bool = False
    times: int = 1
    env: Mapping[str, str] = field(default_factory=dict[str, str])
    weak: Mapping[str, str] = field(default_factory=dict[str, str])
