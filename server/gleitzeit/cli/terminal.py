"""`Terminal`: a person who can be asked, line by line, while everything else goes on."""

from __future__ import annotations

import os
import sys

import anyio

from gleitzeit.cli.output import console, has_terminal, line

_CHUNK = 4096


class EndOfInputError(Exception):
    """The person has ended the input, by Ctrl-D at the begin of a line."""


class Terminal:
    """Reads what is typed, on the event loop: a thread in `read` could not be stopped before Enter is pressed."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._typed = bytearray()

    async def line(self, prompt: str) -> str:
        """The next line, without its end. Raises `EndOfInputError`."""
        console().print(line(prompt), end=" ", soft_wrap=True)
        while b"\n" not in self._typed:
            await anyio.wait_readable(self._descriptor)
            read = os.read(self._descriptor, _CHUNK)
            if not read:
                self._typed.clear()
                raise EndOfInputError
            self._typed += read
        text, _, rest = self._typed.partition(b"\n")
        self._typed = rest
        return text.decode(errors="replace").strip()


def own_terminal() -> Terminal | None:
    """The terminal that this command was called at; nothing where its input or its messages go elsewhere."""
    if sys.platform == "win32" or sys.stdin is None or not sys.stdin.isatty() or not has_terminal():
        return None
    return Terminal(sys.stdin.fileno())
