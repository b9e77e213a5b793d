from __future__ import annotations

import pytest
from tests.conformance.suite import SUITE
from tests.node import unavailable


@pytest.fixture(scope="session")
def suite() -> None:
    """Skips where the suite can't be run."""
    reason = unavailable(SUITE)
    if reason is not None:
        pytest.skip(reason)
