"""The loops that servers run on, for tests of what depends on theirs: timers, and descriptors that are watched."""

from __future__ import annotations

import pytest

BOTH_LOOPS = [
    pytest.param("asyncio", id="asyncio"),
    pytest.param(("asyncio", {"use_uvloop": True}), id="uvloop"),
]
