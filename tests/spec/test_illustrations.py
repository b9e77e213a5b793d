"""The blocks that only show something really hold nothing to carry out."""

from __future__ import annotations

import ast
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest


def test_an_illustration_has_nothing_to_carry_out(entry: Any, document_blocks: Mapping[int, str]) -> None:
    assert ast.parse(document_blocks[entry.block]).body == []


@pytest.mark.skipif(shutil.which("sh") is None, reason="there is no POSIX shell")
def test_the_commands_that_install_models_are_a_shell_script(entry: Any, document_blocks: Mapping[int, str]) -> None:
    script = document_blocks[entry.block]
    subprocess.run(["sh", "-n"], input=script, text=True, check=True, timeout=10)
    commands = [line for line in script.splitlines() if line and not line.startswith("#")]
    assert len(commands) == 8
    assert all(command.startswith("ollama pull ") for command in commands)
