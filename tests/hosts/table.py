"""The table of hosts in the README, and what each of its lines makes a host start."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CHECKOUT = "/ABSOLUTE/PATH/TO/gleitzeit"

_ROW = re.compile(r"\| (?P<host>[^|]+?) \| `(?P<command>[^`]+)`[^|]*\|")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table: a host, and the command that enters Gleitzeit in it."""

    host: str
    command: tuple[str, ...]

    @property
    def installs(self) -> bool:
        """Whether the command is one of ours, rather than of the host."""
        return self.command[:2] == ("gleitzeit", "install")


@dataclass(frozen=True, slots=True)
class Start:
    """What a host starts, and what it adds to the environment."""

    command: tuple[str, ...]
    environment: Mapping[str, str]


def lines() -> list[Line]:
    """The lines of the table."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition("## Add it to your host\n")[2].partition("\n## ")[0]
    return [Line(row["host"], tuple(shlex.split(row["command"]))) for row in _ROW.finditer(section)]


def start_of_entry(entry: Mapping[str, Any]) -> Start:
    """What the entry of a host's file starts."""
    return Start((entry["command"], *(str(one) for one in entry.get("args", ()))), entry.get("env", {}))


def start_of_command(command: tuple[str, ...]) -> Start:
    """What a host's own command has it start: all that comes after two dashes."""
    return Start(command[command.index("--") + 1 :], {})


def at(checkout: Path, start: Start) -> Start:
    """The same with a real checkout in place of the path that stands for it."""
    return Start(tuple(word.replace(CHECKOUT, str(checkout)) for word in start.command), start.environment)
