"""What must start fast imports nothing that takes long."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

from gleitzeit.cli import exits
from gleitzeit.cli.app import COMMANDS
from gleitzeit.version import __version__

HEAVY = ("typer", "rich", "pydantic", "yaml", "mcp", "anyio", "jsonschema", "importlib.metadata", "asyncio")


CALLED = """
import sys
from gleitzeit.cli import main
sys.argv[0] = "gleitzeit"
code = main()
print("imported", *sys.modules)
sys.exit(code)
"""


def imported(*arguments: str, code: int = exits.OK) -> set[str]:
    """The modules that a command imports."""
    command = [sys.executable, "-c", CALLED, *arguments]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    assert completed.returncode == code, completed.stderr
    heading, *modules = completed.stdout.splitlines()[-1].split()
    assert heading == "imported"
    return set(modules)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_version_is_printed_without_importing_anything_heavy(option: str) -> None:
    assert imported(option).isdisjoint(HEAVY)


def test_the_help_of_mcp_is_printed_without_importing_anything_heavy() -> None:
    assert imported("mcp", "--help").isdisjoint(HEAVY)


def test_a_command_imports_no_other_one_and_nothing_that_only_a_terminal_or_a_server_needs() -> None:
    taken = imported("validate", "nowhere.yaml", code=exits.NOT_FOUND)
    others = {home.partition(":")[0] for name, home in COMMANDS.items() if name not in ("validate", "mcp")}
    assert "gleitzeit.cli.validate" in taken
    assert taken.isdisjoint({*others, "rich", "mcp", "mcp_types", "starlette", "uvicorn", "httpx2"})


def test_the_version_is_that_of_the_distribution() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "gleitzeit", "--version"], capture_output=True, text=True, check=True
    )
    assert completed.stdout == f"gleitzeit {__version__}\n"
    assert version("gleitzeit-mcp") == __version__
