"""What must start fast imports nothing that takes long."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from gleitzeit.version import __version__

HEAVY = ("typer", "rich", "pydantic", "yaml", "mcp", "anyio", "jsonschema", "importlib.metadata", "asyncio")


def imported(*arguments: str) -> set[str]:
    """The modules that a command imports."""
    completed = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "gleitzeit", *arguments], capture_output=True, text=True, check=True
    )
    return {line.rpartition("|")[2].strip() for line in completed.stderr.splitlines() if "|" in line}


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed_without_importing_anything_heavy(option: str) -> None:
    assert imported(option).isdisjoint(HEAVY)


def test_the_help_of_mcp_is_printed_without_importing_anything_heavy() -> None:
    assert imported("mcp", "--help").isdisjoint(HEAVY)


def test_the_version_is_that_of_the_distribution() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "gleitzeit", "--version"], capture_output=True, text=True, check=True
    )
    assert completed.stdout == f"gleitzeit {__version__}\n"
    assert version("gleitzeit-mcp") == __version__
