"""A server that is reached by a URL, as errors name it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

_LONGEST_WORDS = 300

Redact = Callable[[str], str]


def shown_url(url: str) -> str:
    """The URL without what may be secret in it: its user, password, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "an address that cannot be read"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True, slots=True)
class Remote:
    """The name and URL of a server, and what takes its secrets out of a text."""

    name: str
    url: str = field(repr=False)
    redact: Redact = field(default=str, repr=False)

    @property
    def place(self) -> str:
        """Its URL as it may be shown."""
        return self.redact(shown_url(self.url))

    @property
    def subject(self) -> str:
        """How a message about it begins."""
        return f'server "{self.name}"'

    @property
    def login_command(self) -> str:
        """The command that logs in to it, as a shell takes it."""
        return f"gleitzeit servers login {shlex.quote(self.name)}"

    def quoted(self, words: str) -> str:
        """What it said, as one line that is not long and holds no secret."""
        line = self.redact(" ".join("".join(char if char.isprintable() else " " for char in words).split()))
        return line if len(line) <= _LONGEST_WORDS else line[:_LONGEST_WORDS] + "…"
