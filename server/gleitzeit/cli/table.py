"""Rows of facts: a table on a terminal, aligned lines everywhere else."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gleitzeit.cli.output import line, print_result

if TYPE_CHECKING:  # only a terminal needs it
    from rich.console import Console

Cell = str | tuple[str, str]
"""A text, or a text and its style."""


def print_table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Write rows under their headings to standard output."""
    if sys.stdout.isatty():
        _print_on_terminal(headings, rows)
        return
    lines = [list(headings), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for words in lines:
        print_result("  ".join(word.ljust(width) for word, width in zip(words, widths, strict=True)).rstrip())


def print_line(*parts: Cell) -> None:
    """Write one line to standard output, coloured on a terminal."""
    if sys.stdout.isatty():
        _console().print(line(*parts), soft_wrap=True)
    else:
        print_result("".join(map(_text, parts)))


def _print_on_terminal(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    from rich.table import Table  # see above

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    for row in rows:
        table.add_row(*(line(cell) for cell in row))
    _console().print(table)


def _console() -> Console:
    from rich.console import Console  # see above

    return Console(highlight=False, markup=False, emoji=False)


def _text(cell: Cell) -> str:
    return cell if isinstance(cell, str) else cell[0]
