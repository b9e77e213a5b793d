"""Results go to standard output, everything else to standard error."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:  # only a terminal needs colours
    from rich.console import Console
    from rich.text import Text

# A terminal would obey these; text from tools and models is not to be trusted with that.
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if code not in (0x09, 0x0A)}


@contextmanager
def kept_for_results() -> Generator[None]:
    """Meanwhile, what anything prints to standard output, providers and their libraries too, goes to standard error."""
    sys.stdout.flush()
    own = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(own, 1)
        os.close(own)


def visible(text: str) -> str:
    """The text with its control characters spelled out, so that a terminal shows them instead of obeying them."""
    return text.translate(_CONTROLS)


def print_result(text: str) -> None:
    """Write one result to standard output: as it is into a file or pipe, without control characters on a terminal."""
    _write(sys.stdout, visible(text) if sys.stdout.isatty() else text)


def print_json(value: Any) -> None:
    """Write one result to standard output as JSON."""
    _write(sys.stdout, json_text(value))


def print_value(value: Any) -> None:
    """Write a value to standard output: a string as it is, anything else as JSON."""
    print_result(value) if isinstance(value, str) else print_json(value)


def json_text(value: Any) -> str:
    """The value as JSON for people: indented, with its own letters."""
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)


def say(*parts: str | tuple[str, str]) -> None:
    """Write one line of words to standard error; a part with a style is coloured where that is possible."""
    if _may_be_styled():
        console().print(line(*parts), soft_wrap=True)
    elif sys.stderr is not None:
        words = "".join(part if isinstance(part, str) else part[0] for part in parts)
        _write(sys.stderr, visible(words).expandtabs())


def has_terminal() -> bool:
    """Whether standard error is a terminal, or is to be taken for one."""
    return _may_be_styled() and console().is_terminal


def line(*parts: str | tuple[str, str]) -> Text:
    """Words and styled words as one line that shows control characters instead of obeying them."""
    from rich.text import Text  # see above

    assembled = [visible(part) if isinstance(part, str) else (visible(part[0]), part[1]) for part in parts]
    return Text.assemble(*assembled)


def console() -> Console:
    """The terminal, or whatever standard error is now."""
    from rich.console import Console  # see above

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def _may_be_styled() -> bool:
    """Whether rich has to say what standard error is: to a file or pipe, words go without it."""
    asked = os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE")
    return bool(asked) or (sys.stderr is not None and sys.stderr.isatty())


def _write(stream: TextIO, text: str) -> None:
    stream.write(text if text.endswith("\n") else text + "\n")
    stream.flush()
