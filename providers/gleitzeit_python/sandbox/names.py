"""How settings and requests name what a sandbox is to be; apart, for settings are read by every process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Tier = Literal["ns", "ll", "docker", "wasm", "none"]
Packages = Literal["host", "none"]
Choice = Literal["auto", "ns", "ll", "docker", "wasm", "none"]

STRENGTH: Final[Mapping[Tier, int]] = {"none": 0, "ll": 1, "ns": 2, "wasm": 2, "docker": 3}
"""What is asked for as a least tier is met by every tier that is as strong."""
