"""A tier is said to be there once code has tried to get out of it."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from typing import cast

import pytest

from gleitzeit_python.kernel.probe import probe
from gleitzeit_python.kernel.sandbox import KernelTier

PROGRAM = """
import anyio, json, sys
from gleitzeit_python.kernel.probe import probe
for tier in ("ns", "ll"):
    found = anyio.run(probe, tier)
    print(json.dumps([found.tier, found.available, found.reason, found.hint]))
"""


@pytest.mark.anyio
async def test_a_tier_that_holds_is_available(tier: str) -> None:
    found = await probe(cast(KernelTier, tier))
    if not found.available:
        assert found.reason
        assert found.hint
        pytest.skip(found.reason)
    assert (found.facts["tier"], found.reason) == (tier, "")


@pytest.mark.anyio
async def test_elsewhere_than_on_linux_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    found = await probe("ns")
    assert not found.available
    assert "Linux" in found.reason


@pytest.mark.anyio
async def test_on_an_unknown_processor_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "sparc")
    found = await probe("ll")
    assert not found.available
    assert "sparc" in found.reason


def probed(preparation: str) -> dict[str, tuple[bool, str, str]]:
    """What the probes say for the root of a user namespace that has been prepared by a shell."""
    if shutil.which("unshare") is None:
        pytest.skip("there is no program `unshare`")
    shell = ["unshare", "--user", "--map-root-user", "sh", "-c", f'{preparation}; exec "$0" -c "$1"']
    told = subprocess.run([*shell, sys.executable, PROGRAM], capture_output=True, text=True, timeout=50, check=False)
    if told.returncode != 0:
        pytest.skip(f"no user namespace can be had here: {told.stderr}")
    return {
        tier: (available, reason, hint) for tier, available, reason, hint in map(json.loads, told.stdout.splitlines())
    }


def test_where_user_namespaces_are_refused_the_other_tier_is_left() -> None:
    found = probed("echo 0 > /proc/sys/user/max_user_namespaces")
    available, reason, hint = found["ns"]
    assert not available
    assert "namespaces" in reason
    assert "let users have namespaces" in hint
    assert found["ll"][0]


def test_the_root_of_a_container_need_not_be_able_to_become_nobody() -> None:
    assert [available for available, _, _ in probed("true").values()] == [True, True]
